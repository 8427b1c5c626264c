"""Two numbers about every trained net, stored next to its accuracy.

subtx-toy run tiny metric=examples/own_metric.py:confidence
"""

from __future__ import annotations

import torch
from torch import Tensor

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.model import Model


def confidence(model: Model, params: dict[str, Tensor], dataset: Dataset) -> dict[str, float]:
    """Measure the mean probability of the likeliest class, and the share of inputs answered with class 0."""
    dtype = next(iter(params.values())).dtype
    inputs = torch.tensor(dataset.test_images).flatten(1).to(dtype) / 127.5 - 1  # as in training
    with torch.no_grad():
        logits = model.apply(params, inputs)[:, model.columns("class")]
    likeliest, classes = logits.softmax(1).max(1)
    return {"confidence": float(likeliest.mean()), "zeros": float((classes == 0).double().mean())}
