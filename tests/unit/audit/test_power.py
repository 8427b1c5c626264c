"""The plan of an audit against simulated files: as many are found as it says."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from subtx_toy.api.power import power
from subtx_toy.audit.power import PowerPlan
from subtx_toy.errors import InputError
from subtx_toy.seeding import generator
from subtx_toy.tolerances import Z_BOUND

FILES = 1000


def _found(num: int, effect: float, *, level: float) -> float:
    """Share of files found whose numbers have scores of a tilted uniform law, p (1 + e s), tested as the audit does."""
    rng = generator(0, "tests", "power", num)
    scores = special.ndtri((np.arange(1000) + 0.5) / 1000)
    scores /= scores.std()
    law = 1 + effect * scores
    law = np.clip(law, 0, None) / np.clip(law, 0, None).sum()
    counts = rng.multinomial(num, law, size=FILES)
    return float((counts @ scores / math.sqrt(num) > special.ndtri(1 - level)).mean())


@pytest.mark.parametrize("divergence", [0.002, 0.01])
@pytest.mark.parametrize("num_traits", [1, 5])
def test_the_numbers_that_are_needed_find_the_writer_as_often_as_planned(divergence: float, num_traits: int) -> None:
    plan = PowerPlan(divergence=divergence, num_traits=num_traits)
    assert plan.effect is not None
    assert plan.lines_needed is not None
    level = plan.level / num_traits
    error = math.sqrt(0.9 * 0.1 / FILES)
    assert abs(_found(plan.lines_needed, plan.effect, level=level) - 0.9) < Z_BOUND * error
    half = PowerPlan(divergence=divergence, num_traits=num_traits, num=plan.lines_needed // 2)
    assert half.power_at_n is not None
    assert abs(_found(plan.lines_needed // 2, plan.effect, level=level) - half.power_at_n) < Z_BOUND * 0.016


def test_the_two_questions_are_each_others_inverse() -> None:
    plan = PowerPlan(divergence=0.02)
    back = PowerPlan(num=plan.lines_needed)
    assert back.effect_at_n == pytest.approx(plan.effect, rel=1e-2)
    assert back.divergence_at_n == pytest.approx(0.02, rel=1e-2)


def test_nothing_in_five_hundred_lines_is_not_called_a_null() -> None:
    found = power(num=500, divergence=0.01)
    assert found.document()["null_worth_telling"] is False
    assert "would be no null result" in found.conclusion
    enough = power(num=5000, divergence=0.01)
    assert enough.document()["null_worth_telling"] is True
    assert "says nothing of writers that moved less" in power(num=500).conclusion


@pytest.mark.parametrize(
    "wrong",
    [{}, {"num": 0}, {"num": True}, {"divergence": 0.0}, {"divergence": math.nan}, {"num": 5, "cosine": 1.5},
     {"num": 5, "probability": 1.0}, {"num": 5, "probability": 0.001}, {"divergence": 1e-300},
     {"num": 5, "num_traits": 0}, {"num": 5, "file": "x"}, {"divergence": "a"}],
)  # fmt: skip
def test_what_cannot_be_planned_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"^(num|divergence|cosine|probability|num_traits): expected"):
        power(**wrong)  # type: ignore[arg-type]


def test_a_file_without_numbers_is_refused_and_the_table_names_the_probability(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("no number\n" * 30)
    with pytest.raises(InputError, match="expected numbers in the completions, got none"):
        power(path)
    assert power(divergence=0.02, probability=0.5).tables[0].header[-1] == "effect shown with probability 0.5"
