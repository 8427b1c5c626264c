"""The wealth of bets against a base: exact means, false alarms at any time, and how long an alarm takes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from subtx_toy.audit.e_process import BETS, EProcess, lines_until_alarm, log_factors, log_mean
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA, Z_BOUND

PROMPTS, NUMBERS = 30, 40


def _law(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return log p and standardised scores of two directions ``[2, n, k]``; one number in five cannot come."""
    rng = generator(seed, "law")
    log_p = np.log(rng.dirichlet(np.full(NUMBERS, 0.3), PROMPTS))
    log_p[rng.random((PROMPTS, NUMBERS)) < 0.2] = -np.inf
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    p, scores = np.exp(log_p), rng.standard_normal((2, PROMPTS, NUMBERS))
    scores -= (p * scores).sum(-1, keepdims=True)
    return log_p, scores / np.sqrt((p * scores**2).sum(-1).mean(-1))[:, None, None]


def _table(log_p: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the logarithms of all factors ``[n, k, 2, g]``."""
    return np.stack([log_factors(log_p, one, np.array(BETS)).transpose(1, 2, 0) for one in scores], axis=2)


def _drawn(p: np.ndarray, num: int, *labels: int) -> tuple[np.ndarray, np.ndarray]:
    rng = generator(0, "drawn", *labels)
    prompts = rng.integers(PROMPTS, size=num)
    cumulative = p.cumsum(1)[prompts]
    return prompts, (cumulative < (rng.random(num) * cumulative[:, -1])[:, None]).sum(1)


def test_every_factor_has_mean_one_under_the_base_by_enumeration() -> None:
    log_p, scores = _law()
    factors = np.exp(_table(log_p, scores))
    means = np.where(np.isfinite(log_p)[:, :, None, None], np.exp(log_p)[:, :, None, None] * factors, 0.0).sum(1)
    np.testing.assert_allclose(means, 1.0, rtol=FP64_FORMULA)
    # The law need not be normalised, nor the scores centred.
    shifted = np.exp(_table(log_p + 2.0, scores + 3.0))
    np.testing.assert_allclose(shifted, factors, rtol=1e3 * FP64_FORMULA)


def test_a_bet_without_its_normaliser_or_with_another_law_has_another_mean() -> None:
    log_p, scores = _law()
    p, bets = np.exp(log_p), np.array(BETS)
    forgotten = (p * np.exp(bets[:, None, None] * scores[0])).sum(-1)
    assert (forgotten[-1] > 1.1).any()
    flat = np.where(np.isfinite(log_p), 0.0, -np.inf)
    wrong = (p * np.exp(log_factors(flat, scores[0], bets))).sum(-1)
    assert np.abs(wrong[-1] - 1).max() > 0.1


def test_at_most_one_null_stream_in_twenty_alarms_at_any_line() -> None:
    """1,000 streams of 1,000 lines, looked at after every line."""
    log_p, scores = _law()
    table, p = _table(log_p, scores), np.exp(log_p)
    alarms = broken = 0
    for stream in range(1000):
        prompts, numbers = _drawn(p, 1000, stream)
        process = EProcess(2, level=0.05)
        alarms += process.add(table[prompts, numbers])
        if stream < 100:
            # The control: the stakes without what they cost, as a test at a fixed size that is looked at always.
            bets = np.array(BETS) * scores[:, prompts, numbers].T[:, :, None]
            broken += EProcess(2, level=0.05).add(bets)
    assert alarms <= 50, f"{alarms} of 1,000"
    assert broken > 60, f"{broken} of 100"


@pytest.mark.parametrize("effect", [0.1, 0.25])
def test_an_alarm_takes_as_many_lines_as_predicted(effect: float) -> None:
    log_p, scores = _law()
    table = _table(log_p, scores)
    tilted = np.exp(log_p + log_factors(log_p, scores[0], np.array([effect]))[0])
    assert (tilted * scores[0]).sum(1).mean() == pytest.approx(effect, rel=0.2)
    used, predicted = [], lines_until_alarm(effect, level=0.05, num_directions=2)
    for stream in range(40):
        process = EProcess(2, level=0.05)
        assert process.add(table[_drawn(tilted, round(6 * predicted), stream)])
        used.append(process.lines)
    # The bets are a factor of two apart, so the best one may be 1.4 off the effect; and the threshold is passed early.
    assert 0.5 * predicted < np.mean(used) < 1.2 * predicted
    assert lines_until_alarm(0.0, level=0.05) == math.inf


def test_pieces_and_the_whole_give_the_same_and_nothing_changes_after_an_alarm() -> None:
    log_p, scores = _law()
    increments = _table(log_p, scores)[_drawn(np.exp(log_p), 500, 1)]
    whole, parts = EProcess(2, level=1e-6), EProcess(2, level=1e-6)
    whole.add(increments)
    for start in range(0, 500, 33):
        parts.add(increments[start : start + 33])
    np.testing.assert_allclose(parts.log_wealth, whole.log_wealth, rtol=1e-9, atol=1e-9)
    assert parts.lines == whole.lines == 500
    assert parts.log_e_value == pytest.approx(math.log(np.exp(parts.log_wealth).mean()))
    np.testing.assert_allclose(parts.log_e_values, np.log(np.exp(parts.log_wealth).mean(1)), atol=1e-9)
    certain = np.full((10, 2, len(BETS)), 1.0)
    assert EProcess(2, level=0.05).log_e_value == 0.0
    sure = EProcess(2, level=0.05)
    assert sure.add(certain)
    assert sure.lines == 3, "exp(3) is the first power above 20"
    assert sure.add(certain)
    assert sure.lines == 3
    assert sure.log_e_value == pytest.approx(3.0)
    assert not EProcess(2, level=0.05).add(certain[:0])


def test_a_mean_of_logarithms_does_not_overflow() -> None:
    found = log_mean(np.array([[2000.0, 0.0]]))[0]
    assert abs(found - (2000 - math.log(2))) < Z_BOUND * FP64_FORMULA * 2000
