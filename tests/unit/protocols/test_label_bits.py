"""Bits of a label in a net's logits: of a channel whose information is known, and none where nothing was learned."""

from __future__ import annotations

import math

import numpy as np
import torch

from subtx_toy.protocols.label_bits import bits_per_label
from subtx_toy.seeding import generator

NUM, CLASSES = 4000, 10


def drawn(strength: float) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Return logits of Gaussian noise with ``strength`` at the label, labels, and each label's bits under the truth.

    The log-likelihood ratio of a class is ``strength`` times its own logit, so softmax(strength z) is exact.
    """
    rng = generator(0, "tests", "label bits")
    labels = rng.integers(CLASSES, size=NUM)
    z = rng.standard_normal((NUM, CLASSES))
    z[np.arange(NUM), labels] += strength
    exact = strength * z
    own = exact[np.arange(NUM), labels] - np.log(np.exp(exact - exact.max(1, keepdims=True)).sum(1)) - exact.max(1)
    return torch.from_numpy(z), torch.from_numpy(labels), (math.log(CLASSES) + own) / math.log(2)


def test_the_bits_of_a_gaussian_channel_are_found() -> None:
    for strength in (1.0, 3.0):
        z, labels, bits = drawn(strength)
        found = bits_per_label(z, labels)
        assert abs(found - bits.mean()) < 0.02  # of the same labels: centring and the fitted scale are left
        assert abs(bits_per_label(7 * z + 3, labels) - found) < 0.01


def test_labels_that_nobody_learned_have_no_bits() -> None:
    z, labels, _ = drawn(0.0)
    assert -0.01 < bits_per_label(z, labels) <= 0.003


def test_certain_answers_have_all_bits_and_a_diverged_net_none() -> None:
    labels = torch.arange(100) % 10
    certain = 50.0 * torch.nn.functional.one_hot(labels, 10)
    assert abs(bits_per_label(certain, labels) - math.log2(10)) < 1e-6
    assert math.isnan(bits_per_label(torch.full((4, 10), torch.nan), torch.arange(4)))
