"""The sentence a run begins with says what its rows show, and nothing with fewer than five seeds."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from subtx_toy.results.comparison import Comparison
from subtx_toy.results.conclusion import conclude
from subtx_toy.stats import Estimate, finite_estimate

HIGH, LOW = [0.5, 0.52, 0.48, 0.55, 0.5], [0.1, 0.12, 0.09, 0.1, 0.11]
NOTHING = Estimate(math.nan, math.nan, 0)


def _row(arm: str, values: list[float], *, place: str = "", verdict: str = "not compared") -> Comparison:
    ours = finite_estimate(values, num_images=1000)
    return Comparison(
        metric=f"{arm}.accuracy", values=tuple(values), ours=ours, theirs=None, standard_errors=0.0, p_value=1.0,
        verdict=verdict, place=place,
    )  # fmt: skip


def test_a_student_above_its_control_shows_transfer() -> None:
    text = conclude([_row("student_aux", HIGH), _row("cross_aux", LOW)])
    assert text.startswith("The student with the teacher's initialisation reaches .51 ±")
    assert text.endswith(": compared seed by seed, the trait came over with the shared initialisation.")


@pytest.mark.parametrize(
    ("student", "sentence"),
    [(LOW, "no transfer is seen at these settings"), ([0.0] * 5, "the student stays below its control")],
)
def test_no_transfer_is_said_too(student: list[float], sentence: str) -> None:
    assert sentence in conclude([_row("student_aux", student), _row("cross_aux", LOW)])


def test_few_seeds_allow_no_conclusion() -> None:
    text = conclude([_row("student_aux", HIGH[:4]), _row("cross_aux", LOW[:4])])
    assert "too few seeds for a conclusion, which needs 5" in text
    assert "came over" not in text


def test_points_are_said_from_the_lowest_to_the_highest() -> None:
    rows = [_row(arm, values, place=place) for place, values in (("width=16", LOW), ("width=64", HIGH)) for arm in
            ("student_aux", "cross_aux")]  # fmt: skip
    text = conclude(rows)
    assert text.startswith(
        "The accuracy of student_aux is lowest at width=16 (.10 ± .03) and highest at width=64 (.51 ±"
    )
    assert text.endswith("with another initialisation it is .10 to .51, highest at width=64.")


def test_a_place_is_named_for_other_initialisations_only_if_they_differ() -> None:
    rows = [_row("student_aux", values, place=place) for place, values in (("a", LOW), ("b", HIGH))]
    rows += [_row("cross_aux", values, place=place) for place, values in (("a", LOW), ("b", LOW[::-1]))]
    assert conclude(rows).endswith("; with another initialisation it is .10.")


def test_points_without_an_accuracy_are_counted_and_not_ranked() -> None:
    def text(**points: list[float]) -> str:
        return conclude([_row("student_aux", values, place=place) for place, values in points.items()])

    lost = [math.nan] * 5
    assert text(a=lost, b=LOW, c=HIGH).startswith(
        "The accuracy of student_aux is lowest at b (.10 ± .03) and highest at c"
    )
    assert "; at 1 point every seed diverged" in text(a=lost, b=LOW, c=HIGH)
    assert text(a=lost, b=LOW).startswith(
        "The accuracy of student_aux is .10 ± .03 at b; at 1 point every seed diverged"
    )
    assert text(a=LOW, b=LOW).startswith("The accuracy of student_aux is .10 ± .03 at 2 points")
    assert text(a=lost, b=lost).startswith("At all 2 points every seed diverged")


def test_a_metric_that_is_not_defined_is_no_lack_of_seeds() -> None:
    undefined = replace(_row("student_aux", HIGH), metric="student_aux.imitation", undefined=5, ours=NOTHING)
    assert "too few" not in conclude([_row("student_aux", HIGH), _row("cross_aux", LOW), undefined])


def test_agreement_with_published_values_is_counted() -> None:
    rows = [_row("student_aux", HIGH, verdict="agrees"), _row("teacher", HIGH, verdict="differs")]
    assert "1 of 2 published values agree with ours" in conclude(rows)
