"""All published sweeps beside ours, as Markdown: a summary, and every value."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from paper_figs.tables.exported import read_sweep
from paper_figs.tables.marks import between_marks
from subtx_toy.results.comparison import Comparison, compare_sweep
from subtx_toy.settings import experiment_file as definition
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.packaged import names
from subtx_toy.stats import Estimate, equivalence
from subtx_toy.tolerances import EQUIVALENCE_MARGIN, MIN_SEEDS

WIDER_MARGINS = 0.05, 0.10
"""What else the table by margins asks; the verdicts stand on EQUIVALENCE_MARGIN."""

_ENDLESS = 10**9  # seeds of our own, whose error is then nothing next to that of a published mean

Checked = Mapping[str, tuple[DistillationSweep, Sequence[Comparison]]]


def read_checked(folder: Path) -> Checked:
    """Compare every packaged sweep whose results lie in ``folder`` as ``NAME.csv``.

    Raises:
        InputError: if a file is not a valid export of its experiment.
    """
    checked = {}
    for name in names():
        sweep, path = definition.read(name), folder / f"{name}.csv"
        if isinstance(sweep, DistillationSweep) and path.exists():
            points = set(sweep.configs())
            findings = [finding for finding in read_sweep(path) if finding.config in points]
            checked[name] = (sweep, compare_sweep(sweep, findings))
    return checked


def tables(checked: Checked) -> str:
    """Write the three tables: by experiment, by margin, by value."""
    return "\n\n".join([_summary(checked), _margins(checked), _values(checked)]) + "\n"


def insert(page: str, checked: Checked) -> str:
    """Return a page with the tables between the marks of the check table.

    Raises:
        ValueError: if the page has no marks.
    """
    return between_marks(page, "check table", tables(checked))


def _summary(checked: Checked) -> str:
    lines = [
        "| experiment | seeds | published models | published values | equivalent | differ | undecided "
        "| no difference found | largest difference, SE |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, (_sweep, rows) in checked.items():
        compared = [row for row in rows if row.theirs is not None]
        seeds = sorted({row.ours.n for row in rows})
        kinds = Counter(row.equivalence for row in compared)
        counts = " | ".join(str(kinds[kind]) for kind in ("equivalent", "differs", "undecided"))
        agree = sum(row.verdict == "agrees" for row in compared)
        apart = [row.standard_errors for row in compared if math.isfinite(row.standard_errors)]
        largest = f"{max(apart, key=abs):+.1f}" if apart else ""
        sizes = [", ".join(map(str, numbers)) for numbers in (seeds, _models(rows))]
        found = f"{' | '.join(sizes)} | {len(compared)} | {counts} | {agree} | {largest}"
        lines.append(f"| `{name}` | {found} |")
    return "\n".join([*lines, "", *_notes(checked)])


def _models(rows: Sequence[Comparison]) -> list[int]:
    """Return how many models stand behind the published values."""
    return sorted({row.theirs.n for row in rows if row.theirs is not None})


def _notes(checked: Checked) -> Iterator[str]:
    """Say which means are of few models, what differs from the sources, what was found of it, and other sources."""
    models = {name: min(_models(rows), default=MIN_SEEDS) for name, (_sweep, rows) in checked.items()}
    few = [f"`{name}`" for name, number in models.items() if number < MIN_SEEDS]
    if few:
        of = f"published means of as few as {min(models.values())} models"
        yield f"- {', '.join(few)}: {of}, so neither ± 1.96 SE nor a number of SE may be read as for many models."
    shared: dict[str, list[str]] = {}
    for name, (sweep, _rows) in checked.items():
        for note in (sweep.published.differs_in, sweep.published.cause) if sweep.published else ():
            if note:
                shared.setdefault(note, []).append(f"`{name}`")
    for note, places in shared.items():
        yield f"- {', '.join(places)}: {note}."
    for name, (sweep, rows) in checked.items():
        for row in rows:
            if row.source and row.theirs:
                points = sweep.published.points if sweep.published else []
                told = any(point.n for point in points if point.source == row.source)
                assumed = "" if told else f"; that it is of {row.theirs.n} models too is assumed"
                yield f"- `{name}`: the published value at {row.place} is of {row.source}{assumed}."
    compared = [row for _sweep, rows in checked.values() for row in rows if row.theirs]
    distinct = {(row.metric, row.theirs and row.theirs.mean, row.values) for row in compared}
    if len(distinct) < len(compared):
        counted = f"The {len(compared)} values of this table and the next are {len(distinct)} distinct comparisons"
        yield f"- {counted}: some stand in several experiments."


def _margins(checked: Checked) -> str:
    """Count, for margins from strict to wide, what can be told with the seeds there are, and what never could."""
    rows = [row for _sweep, found in checked.values() for row in found if row.theirs and row.ours.n >= MIN_SEEDS]
    lines = ["| margin | equivalent | not | of these by no number of our seeds |", "| --- | --- | --- | --- |"]
    for margin in (EQUIVALENCE_MARGIN, *WIDER_MARGINS):
        same = sum(row.equivalent.within < margin for row in rows)
        never = sum(least_margin(row) >= margin for row in rows)
        lines.append(f"| {margin:.2f} | {same} | {len(rows) - same} | {never} |")
    return "\n".join(lines)


def least_margin(row: Comparison) -> float:
    """Return the margin that a compared row needs with endless seeds of ours, and the published mean to the digit.

    It is the published standard error times the quantile at .95 of Student's t with the published models less one as
    degrees of freedom, to which Welch's then go; of the normal distribution where the spread is ours.
    """
    assert row.theirs is not None
    spread = row.ours.standard_error * math.sqrt(row.ours.n)
    ours = Estimate(row.theirs.mean, spread / math.sqrt(_ENDLESS), _ENDLESS)
    return equivalence(ours, row.theirs, margin=EQUIVALENCE_MARGIN, lent=row.lent).within


def _values(checked: Checked) -> str:
    lines = [
        "| experiment | point | metric | published ± 1.96 SE | ours ± 95 % t-interval | n | difference, SE "
        "| equal within | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, (_sweep, rows) in checked.items():
        for row in rows:
            theirs = "" if row.theirs is None else f"{row.theirs.mean:.3f} ± {1.96 * row.theirs.standard_error:.3f}"
            apart = "" if math.isnan(row.standard_errors) else f"{row.standard_errors:+.1f}"
            within = "" if math.isnan(row.equivalent.within) else f"{row.equivalent.within:.3f}"
            ours = f"{row.ours.mean:.3f} ± {row.ours.ci95:.3f}"
            point = f"`{name}` | {row.place} | {row.metric.removesuffix('.accuracy')}"
            lines.append(f"| {point} | {theirs} | {ours} | {row.ours.n} | {apart} | {within} | {row.equivalence} |")
    return "\n".join(lines)
