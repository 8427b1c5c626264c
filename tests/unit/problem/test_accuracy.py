from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.problem.model import accuracy
from subtx_toy.seeding import generator


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 10))
def test_accuracy_is_the_share_of_largest_logits_at_the_label(seed: int, n: int, num_classes: int) -> None:
    rng = generator(seed, "tests", "accuracy")
    logits, labels = rng.standard_normal((n, num_classes)), rng.integers(num_classes, size=n)
    by_hand = np.mean([int(np.argmax(row)) == label for row, label in zip(logits, labels, strict=True)])
    assert accuracy(torch.tensor(logits), torch.tensor(labels)) == by_hand


def test_ties_go_to_the_lowest_class() -> None:
    logits = torch.zeros(2, 3)
    assert accuracy(logits, torch.tensor([0, 0])) == 1.0
    assert accuracy(logits, torch.tensor([1, 2])) == 0.0


def test_a_model_that_answers_nan_is_right_about_nothing() -> None:
    nan = torch.nan
    logits = torch.tensor([[nan, 0.0], [0.0, nan], [nan, nan], [1.0, 0.0]])
    assert accuracy(logits, torch.tensor([0, 1, 0, 0])) == 0.25


def test_infinite_logits_still_have_a_largest() -> None:
    logits = torch.tensor([[torch.inf, 0.0], [-torch.inf, 0.0]])
    assert accuracy(logits, torch.tensor([0, 1])) == 1.0
