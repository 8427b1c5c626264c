"""How many bits of the labels a net's class logits hold: a lower bound by a fitted readout."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

_SCALES = (0.0, *np.geomspace(1e-3, 1e2, 101))
"""Factors on the logits that are tried; 0 says nothing, and holds 0 bits."""


def bits_per_label(logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> float:
    """Return log2(c) less the cross-entropy of the labels, in bits, under softmax of the scaled logits.

    Logits are centred by class over the images, without the labels. The scale is fitted on one half of the images and
    judged on the other, both ways, so that labels nobody learned have 0 bits or less on average. For labels drawn
    uniformly it is a lower bound of the information in the logits; nan for a net that diverged.
    """
    z = logits.double() - logits.double().mean(0)
    if not bool(torch.isfinite(z).all()):
        return math.nan
    half = len(z) // 2
    parts = [(z[:half], labels[:half]), (z[half:], labels[half:])]
    losses = np.array([[_nats(scale * own, told) for scale in _SCALES] for own, told in parts])
    judged = [losses[1 - at, int(losses[at].argmin())] * len(parts[1 - at][1]) for at in (0, 1)]
    return float(math.log(z.shape[1]) - sum(judged) / len(z)) / math.log(2)


def _nats(z: Tensor, labels: Tensor) -> float:
    return float(torch.nn.functional.cross_entropy(z, labels))
