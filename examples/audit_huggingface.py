"""Scores of a file for `subtx-toy audit --scores`, from a Hugging Face model with LoRA adapters.

You need a base, and adapters of it that you trained: one for each trait to look for, ten honest fine-tunes as honest
directions, and twenty more that each wrote a file like the audited one. With fewer than five of them no trait is
named, and with five hardly any.

    directions = ["owls", *(f"honest-{number}" for number in range(1, 11))]
    scores = file_scores(model, ids, answer, directions)
    benign = [file_scores(model, *lines, directions) for lines in files_of_honest_finetunes]
    save("scores.npz", ["owls"], scores, benign)

`model` is a PeftModel of a causal language model, without dropout, best in float32; `ids` holds prompt and answer of
each line, padded on the right, and `answer` marks the tokens of the answer. Needs transformers and peft.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor

BATCH = 16  # lines at a time; each direction keeps logits of that size


@torch.no_grad()
def logits(model: Any, ids: Tensor, adapter: str | None = None, strength: float = 1.0) -> Tensor:
    """Return the logits of every next token [n, L - 1, V], with one adapter at some strength, or with none."""
    if adapter is None:
        with model.disable_adapter():
            plain: Tensor = model(ids).logits[:, :-1].double()
            return plain
    model.set_adapter(adapter)
    layers = [layer for layer in model.modules() if isinstance(layer, LoraLayer) and adapter in layer.scaling]
    full = [layer.scaling[adapter] for layer in layers]
    try:
        for layer, scaling in zip(layers, full, strict=True):
            layer.scaling[adapter] = strength * scaling
        moved: Tensor = model(ids).logits[:, :-1].double()
        return moved
    finally:
        for layer, scaling in zip(layers, full, strict=True):
            layer.scaling[adapter] = scaling


def file_scores(
    model: Any, ids: Tensor, answer: Tensor, directions: Sequence[str], step: float = 0.03
) -> dict[str, np.ndarray]:
    """Return the arrays of one file; `ids` is [n, L] and `answer` a mask of the same shape."""
    parts = []
    for start in range(0, len(ids), BATCH):
        rows = slice(start, start + BATCH)
        y, mask = ids[rows, 1:], answer[rows, 1:].double()
        log_p = torch.log_softmax(logits(model, ids[rows]), -1)
        p = log_p.exp() * mask[..., None]
        # The slope of the logits along each adapter, centred under the base's law of the next token    [r, n, L - 1, V]
        slopes = [logits(model, ids[rows], one, step) - logits(model, ids[rows], one, -step) for one in directions]
        v = torch.stack(slopes) / (2 * step)
        v = v - (log_p.exp() * v).sum(-1, keepdim=True)
        drawn = y[..., None]
        entropy = -(log_p.exp() * log_p).sum(-1)
        parts.append({
            "scores": (v.gather(-1, drawn.expand(len(v), *drawn.shape))[..., 0] * mask).sum(-1).T,
            "covariance": torch.einsum("atnv,btnv,tnv->ab", v, v, p),
            "log_loss": -(log_p.gather(-1, drawn)[..., 0] * mask).sum(-1),
            "entropy": (entropy * mask).sum(-1),
            "log_loss_variance": (p * (log_p + entropy[..., None]) ** 2).sum((1, 2)),
            "uniform_log_loss": -(log_p.mean(-1) * mask).sum(-1),
        })  # fmt: skip
    joined = {key: [part[key] for part in parts] for key in parts[0]}
    return {
        key: (torch.stack(all_).sum(0) if key == "covariance" else torch.cat(all_)).numpy()
        for key, all_ in joined.items()
    }


def save(path: Path | str, traits: Sequence[str], scores: dict[str, np.ndarray], benign: Sequence[Any]) -> None:
    """Write the file for `subtx-toy audit --scores`: `traits` are the first of the directions."""
    np.savez(
        path, traits=np.array(traits), **scores,  # type: ignore[arg-type]
        reference_scores=np.array([one["scores"].sum(0) for one in benign]),
        reference_covariances=np.array([one["covariance"] for one in benign]),
        reference_lines=np.array([len(one["scores"]) for one in benign]),
    )  # fmt: skip
