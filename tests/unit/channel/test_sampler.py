"""The law of the numbers, and numbers drawn from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from subtx_toy.channel.sampler import NumberLaw, draw_from_logits
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA, Z_BOUND

LAWS = [NumberLaw(), NumberLaw(temperature=0.5), NumberLaw(top_k=5), NumberLaw(temperature=2.0, banned=(0, 1, 2, 999))]


def _logits(num: int, spread: float = 3.0) -> torch.Tensor:
    return torch.from_numpy(spread * generator(0, "logits").standard_normal((num, 1000)))


@pytest.mark.parametrize("law", LAWS)
def test_a_law_is_the_softmax_renormalised_over_what_may_come(law: NumberLaw) -> None:
    z = _logits(3)
    p = law.log_probabilities(z).exp()
    allowed = torch.ones(3, 1000, dtype=torch.bool)
    if law.top_k:
        allowed = z >= z.sort(dim=1, descending=True).values[:, law.top_k - 1 : law.top_k]
    allowed[:, list(law.banned)] = False
    plain = torch.where(allowed, (z / law.temperature).exp(), 0.0)
    torch.testing.assert_close(p, plain / plain.sum(1, keepdim=True), rtol=FP64_FORMULA, atol=FP64_FORMULA)


def _standard_errors(law: NumberLaw, drawn_from: NumberLaw) -> float:
    """How far the counts of the likeliest numbers are from what ``law`` expects."""
    num = 4_000
    z = _logits(1).expand(num, -1)
    numbers = np.concatenate(draw_from_logits(z, drawn_from, generator(1, "draws"), np.ones(num, np.int64)))
    p = law.log_probabilities(z[:1]).exp()[0].numpy()
    top = np.argsort(-p)[:4]
    counts = np.array([(numbers == number).sum() for number in top])
    spread = np.sqrt(num * p[top] * (1 - p[top]))
    return float(np.abs((counts - num * p[top]) / spread).max())


@pytest.mark.parametrize("law", LAWS)
def test_numbers_come_as_often_as_the_law_says(law: NumberLaw) -> None:
    assert _standard_errors(law, law) < Z_BOUND


def test_another_temperature_would_be_seen() -> None:
    assert _standard_errors(NumberLaw(), NumberLaw(temperature=1.3)) > Z_BOUND


@pytest.mark.parametrize("law", LAWS[2:])
def test_what_may_not_come_never_comes(law: NumberLaw) -> None:
    z = _logits(2000, spread=0.1)
    numbers = draw_from_logits(z, law, generator(2, "draws"), np.full(2000, 3))
    p = law.log_probabilities(z)
    assert all(bool(torch.isfinite(p[at, list(row)]).all()) for at, row in enumerate(numbers))


def test_lines_have_the_lengths_asked_for() -> None:
    lengths = np.array([1, 10, 4])
    assert [len(row) for row in draw_from_logits(_logits(3), NumberLaw(), generator(3, "d"), lengths)] == [1, 10, 4]


def test_a_law_that_leaves_nothing_is_refused() -> None:
    law = NumberLaw(banned=tuple(range(1000)))
    with pytest.raises(ValueError, match="got none"):
        draw_from_logits(_logits(1), law, generator(4, "d"), np.ones(1, np.int64))
