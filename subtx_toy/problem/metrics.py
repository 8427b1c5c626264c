"""What is measured on a trained model."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def accuracy(class_logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> float:
    """Return the share of inputs whose largest class logit is that of the label, in [0, 1].

    Ties go to the lowest class, as torch.argmax does; a model that answers nan is right about nothing.
    """
    right = class_logits.argmax(dim=-1).eq(labels) & ~torch.isnan(class_logits).any(dim=-1)
    return int(right.sum()) / len(labels)
