"""One sentence in words about the arms of a run, or about the points of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from subtx_toy.results.comparison import Comparison
from subtx_toy.results.presentation import in_words
from subtx_toy.stats import Estimate, finite_estimate
from subtx_toy.tolerances import MIN_SEEDS
from subtx_toy.wording import counted

_PAIRS = (("student_aux", "cross_aux"), ("student_all", "cross_all"))  # shared init, and another one


def conclude(rows: Sequence[Comparison]) -> str:
    """Say what the rows show: of several points the lowest and the highest, of one point its arms; then the agreement.

    Fewer than five seeds allow no conclusion, and the sentence says so.
    """
    places = list(dict.fromkeys(row.place for row in rows))
    found = _of_points(rows) if len(places) > 1 else _of_arms({row.metric: row for row in rows})
    compared = [row for row in rows if row.verdict in ("agrees", "differs")]
    if compared:
        agree = sum(row.verdict == "agrees" for row in compared)
        text = f"{agree} of {len(compared)} published values agree with ours"
        found = f"{found}; {text}" if found else text
    if found and min((row.ours.n for row in rows if not row.undefined), default=MIN_SEEDS) < MIN_SEEDS:
        found += f"; too few seeds for a conclusion, which needs {MIN_SEEDS}"
    return found and f"{found[0].upper()}{found[1:]}."


def _of_arms(rows: Mapping[str, Comparison]) -> str:
    for student, cross in _PAIRS:
        ours, other = rows.get(f"{student}.accuracy"), rows.get(f"{cross}.accuracy")
        if ours is None:
            continue
        words = f"the student with the teacher's initialisation reaches {in_words(ours.ours)}"
        if other is None:
            return words
        words += f", the one with another initialisation {in_words(other.ours)}"
        if len(ours.values) != len(other.values) or (paired := gap(ours, other)).n < MIN_SEEDS:
            return words  # in too few seeds neither of the two diverged
        return f"{words}: compared seed by seed, {_judged_gap(paired)}"
    return ""


def gap(student: Comparison, cross: Comparison) -> Estimate:
    """Return the mean difference of two arms within a seed."""
    values = [one - other for one, other in zip(student.values, cross.values, strict=True)]
    return finite_estimate(values, num_images=student.ours.num_images, paired=True)


def _judged_gap(found: Estimate) -> str:
    if found.interval.low > 0:
        return "the trait came over with the shared initialisation"
    return (
        "no transfer is seen at these settings" if found.interval.high >= 0 else "the student stays below its control"
    )


def _of_points(rows: Sequence[Comparison]) -> str:
    students = [row for row in rows if row.metric == "student_aux.accuracy"]
    students = students or [row for row in rows if row.metric == "student_all.accuracy"]
    if len(students) < 2:
        return ""
    sound = [row for row in students if row.ours.n]
    if not sound:
        return f"at all {len(students)} points every seed diverged"
    low, high = (pick(sound, key=lambda row: row.ours.mean) for pick in (min, max))
    words = f"the accuracy of {low.arm} is lowest at {low.place} ({in_words(low.ours)}) and highest at {high.place}"
    words += f" ({in_words(high.ours)})"
    if low.ours.mean == high.ours.mean:
        where = low.place if len(sound) == 1 else f"{len(sound)} points"
        words = f"the accuracy of {low.arm} is {in_words(low.ours)} at {where}"
    if lost := len(students) - len(sound):
        words += f"; at {counted(lost, 'point')} every seed diverged"
    cross = [row for row in rows if row.metric == low.metric.replace("student", "cross") and row.ours.n]
    return words + _of_others(cross)


def _of_others(rows: Sequence[Comparison]) -> str:
    """Say between what the students of another initialisation are, and where they are highest if that is a finding."""
    if not rows:
        return ""
    low, high = (pick(rows, key=lambda row: row.ours.mean) for pick in (min, max))
    ends = list(dict.fromkeys(f"{row.ours.mean:.2f}".replace("0.", ".", 1) for row in (low, high)))
    words = f"; with another initialisation it is {' to '.join(ends)}"
    if len(high.values) == len(low.values) and gap(high, low).interval.low > 0:
        words += f", highest at {high.place}"
    return words
