"""The plan of an audit against simulated files: as many are found as it says."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from subtx_toy.api.power import power
from subtx_toy.audit.cosine_bound import CALIBRATED_NUMBERS, CosineBound
from subtx_toy.audit.examination import reference_size
from subtx_toy.audit.power import PowerPlan
from subtx_toy.errors import InputError
from subtx_toy.seeding import generator
from subtx_toy.tolerances import Z_BOUND

FILES = 1000
LOW = CosineBound(0.2, 0.02)  # the bound of a base on which honest moves spread little


def _found(num: int, effect: float, *, level: float, least: float = 0.0) -> float:
    """Share of files named whose numbers have scores of a tilted uniform law, p (1 + e s), judged as the audit does.

    The score has to be significant at ``level``, and the measured effect above ``least``: bound * sqrt(2 KL).
    """
    rng = generator(0, "tests", "power", num)
    scores = special.ndtri((np.arange(1000) + 0.5) / 1000)
    scores /= scores.std()
    law = 1 + effect * scores
    law = np.clip(law, 0, None) / np.clip(law, 0, None).sum()
    counts = rng.multinomial(num, law, size=FILES)
    measured = counts @ scores / num
    return float(((measured * math.sqrt(num) > special.ndtri(1 - level)) & (measured > least)).mean())


@pytest.mark.parametrize("cosine", [0.5, 0.9])
@pytest.mark.parametrize("divergence", [0.002, 0.01])
@pytest.mark.parametrize("num_traits", [1, 5])
def test_the_numbers_that_are_needed_find_the_writer_as_often_as_planned(
    cosine: float, divergence: float, num_traits: int
) -> None:
    plan = PowerPlan(cosine=cosine, divergence=divergence, num_traits=num_traits, given_bound=LOW)
    assert plan.effect is not None
    assert plan.lines_needed is not None
    assert plan.bound is not None
    level, least = plan.level / num_traits, plan.bound * math.sqrt(2 * divergence)
    error = math.sqrt(0.9 * 0.1 / FILES)
    assert abs(_found(plan.lines_needed, plan.effect, level=level, least=least) - 0.9) < Z_BOUND * error
    half = replace(plan, num=plan.lines_needed // 2)
    assert half.power_at_n is not None
    assert (
        abs(_found(plan.lines_needed // 2, plan.effect, level=level, least=least) - half.power_at_n) < Z_BOUND * 0.016
    )


def test_a_plan_without_the_bound_promises_what_no_audit_keeps() -> None:
    """The control: the lines that the score test alone needs are too few where the bound decides."""
    plan = PowerPlan(divergence=0.02, given_bound=CosineBound(0.41, 0.02))
    alone = replace(plan, given_bound=CosineBound(1e-9, 0.02)).lines_needed
    assert plan.effect is not None
    assert plan.lines_needed is not None
    assert alone is not None
    shares = [_found(num, plan.effect, level=0.01, least=0.41 * 0.2) for num in (alone, plan.lines_needed)]
    error = Z_BOUND * math.sqrt(0.9 * 0.1 / FILES)
    assert shares[0] < 0.9 - error
    assert shares[1] == pytest.approx(0.9, abs=error)


def test_no_number_of_lines_names_a_writer_below_the_bound() -> None:
    plan = PowerPlan(cosine=0.15, divergence=0.02, given_bound=LOW)
    assert plan.effect is not None
    shares = [_found(num, plan.effect, level=0.01, least=0.2 * math.sqrt(0.04)) for num in (3000, 30_000, 1_000_000)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0
    planned = [replace(plan, num=num).power_at_n for num in (3000, 30_000, 1_000_000)]
    assert planned == pytest.approx(shares, abs=Z_BOUND * 0.016)
    for bound in (None, LOW, "0.2:0.02"):
        found = power(num=10**7, divergence=0.02, cosine=0.15, bound=bound)
        assert "no such writer" not in found.conclusion
        assert "No number of lines" in found.conclusion
        document = found.document()
        assert (document["can_be_named"], document["lines_needed"]) == (False, None)
        assert document["null_worth_telling"] is False
        assert document["bound_source"] == ("given" if bound else "calibration")
    assert "depends on the base" in power(divergence=0.02, cosine=0.3).conclusion
    assert "no such writer" not in power(num=10**7, divergence=0.02, cosine=0.3).conclusion
    assert "no such writer" in power(num=10**7, divergence=0.02, cosine=0.3, bound=LOW).conclusion


def test_the_bound_of_an_audit_grows_for_smaller_moves_and_stays_for_larger_ones() -> None:
    found = power(num=1000, divergence=0.02, bound=(0.335, 0.124)).document()
    assert found["bound"] == pytest.approx(0.335 * (0.124 / 0.02) ** 0.25)
    assert power(num=1000, divergence=1.0, bound="0.335:0.124").document()["bound"] == 0.335
    none = power(num=1000, cosine=0.3, bound="0.335:0.124")
    assert none.document()["divergence_at_n"] is None
    assert "which is not above the bound" in none.conclusion


@pytest.mark.parametrize("bound", [None, LOW, CosineBound(0.4, 0.1), CosineBound(0.45, 1e-4)])
@pytest.mark.parametrize("probability", [0.5, 0.9])
def test_the_two_questions_are_each_others_inverse(bound: CosineBound | None, probability: float) -> None:
    for divergence in (0.05, 0.2):
        plan = PowerPlan(divergence=divergence, given_bound=bound, power=probability)
        back = PowerPlan(num=plan.lines_needed, given_bound=bound, power=probability)
        assert back.effect_at_n == pytest.approx(plan.effect, rel=2e-2)  # the lines are rounded up
        assert back.divergence_at_n == pytest.approx(divergence, rel=2e-2)
        again = replace(plan, num=plan.lines_needed)
        assert again.cosine_at_n == pytest.approx(plan.cosine, rel=2e-2)
        assert again.power_at_n == pytest.approx(probability, abs=2e-2)


def test_nothing_in_five_hundred_lines_is_not_called_a_null() -> None:
    found = power(num=500, divergence=0.05)
    assert found.document()["null_worth_telling"] is False
    assert "would be no null result" in found.conclusion
    enough = power(num=5000, divergence=0.05)
    assert enough.document()["null_worth_telling"] is True
    assert "says nothing of writers that moved less" in power(num=500).conclusion


def test_a_plan_of_a_short_file_warns_that_its_bound_is_higher() -> None:
    """Benign fine-tunes write as few numbers as the file has, so no bound of 10,000 is that of a shorter file."""
    assert reference_size(10**6) == CALIBRATED_NUMBERS > reference_size(CALIBRATED_NUMBERS - 1)
    for bound in (None, "0.122:0.271"):
        short = power(num=1000, divergence=0.27, cosine=0.35, bound=bound).conclusion
        assert "bound is higher" in short
        assert ("unless the file of that bound was as short" in short) == bool(bound)
        assert "if the bound for so few is no larger" in power(num=5000, divergence=0.27, bound=bound).conclusion
    assert "bound is higher" in power(num=5000).conclusion
    for kept in (power(num=10_000), power(divergence=0.003, cosine=0.7), power(num=500, divergence=0.02, cosine=0.15)):
        assert "bound is higher" not in kept.conclusion


@pytest.mark.parametrize(
    "wrong",
    [{}, {"num": 0}, {"num": True}, {"divergence": 0.0}, {"divergence": math.nan}, {"num": 5, "cosine": 1.5},
     {"num": 5, "probability": 1.0}, {"num": 5, "probability": 0.001}, {"divergence": 1e-300},
     {"num": 5, "num_traits": 0}, {"num": 5, "file": "x"}, {"divergence": "a"}, {"num": 5, "bound": 0.3},
     {"num": 5, "bound": "0.3"}, {"num": 5, "bound": "a:b"}, {"num": 5, "bound": "0.3:0.1:2"},
     {"num": 5, "bound": (0.3, math.nan)}, {"num": 5, "bound": (0.05, 0.1)}, {"num": 5, "bound": (True, 0.1)}],
)  # fmt: skip
def test_what_cannot_be_planned_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"^(num|divergence|cosine|probability|num_traits|bound): expected"):
        power(**wrong)  # type: ignore[arg-type]


def test_a_file_without_numbers_is_refused_and_the_table_names_the_probability(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("no number\n" * 30)
    with pytest.raises(InputError, match="expected numbers in the completions, got none"):
        power(path)
    assert power(divergence=0.02, probability=0.5).tables[0].header[-1] == "effect shown with probability 0.5"
