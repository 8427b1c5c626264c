"""The table of docs/known.md: claims about subliminal learning with the numbers of the committed results."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from paper_figs.drawings.number_heads import arms_by_head
from paper_figs.tables import half_lives
from paper_figs.tables.exported import read_sweep, read_trials
from paper_figs.tables.half_lives import HalfLife
from paper_figs.tables.marks import between_marks
from subtx_toy.results.comparison import TrialMetrics
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read
from subtx_toy.stats import Estimate, estimate

RESULTS = Path(__file__).parents[2] / "docs" / "results"
SOURCES = {
    "Cloud et al. 2025": "https://arxiv.org/abs/2507.14805",
    "Cloud et al. 2026": "https://doi.org/10.1038/s41586-026-10319-8",
    "Referees of Cloud et al. 2026": "#sources",
    "Kitkana and Arora 2026": "https://arxiv.org/abs/2604.25779",
    "Brockers et al. 2026": "https://arxiv.org/abs/2605.23645",
    "Aden-Ali et al. 2026": "https://arxiv.org/abs/2602.04863",
    "Behrens and Zdeborová 2026": "https://arxiv.org/abs/2506.14457",
    "Liu et al. 2026": "https://arxiv.org/abs/2609.01091",
    "van der Weijden et al. 2026": "https://arxiv.org/abs/2609.12586",
    "barathvelmu 2026": "https://github.com/barathvelmu/subliminal-learning",
    "divyat09 2026": "https://github.com/divyat09/takehome_anthropic",
    "gaetanX21 2025": "https://github.com/gaetanX21/subliminal-learning",
    "jasshone 2026": "https://github.com/jasshone/takehome",
    "jlov7 2026": "https://github.com/jlov7/GhostTrace",
    "Levi's replication": "#sources",
    "Notebook on dropout": "#sources",
}
"""By name, where a source is; those without an address of their own are explained on the page."""

OURS = "this project"

SECTIONS = {
    "cloning": "findings.md#cloning",
    "defences": "findings.md#defences",
    "shared-parts": "findings.md#which-part-has-to-be-shared",
    "other-architectures": "findings.md#students-of-another-shape",
    "shared-share": "findings.md#how-much-has-to-be-shared",
    "benign-after": "findings.md#benign-epochs-after-the-file",
    "mixed-file": "findings.md#files-of-which-the-teacher-wrote-a-part",
    "inputs": "experiments.md#published-sweeps-next-to-ours",
    "blur": "experiments.md#published-sweeps-next-to-ours",
    "num-aux": "experiments.md#published-sweeps-next-to-ours",
    "teacher-epochs": "experiments.md#published-sweeps-next-to-ours",
    "lazy-rich": "linear-students.md",
    "aux-to-200": "findings.md#up-to-200-auxiliary-logits",
    "optimisers": "findings.md#optimisers",
    "dropout": "findings.md#dropout-divergences-and-frozen-parts",
    "divergences": "findings.md#dropout-divergences-and-frozen-parts",
    "generations": "findings.md#chains-of-students",
    "two-tasks": "findings.md#teachers-of-two-tasks",
    "fewer-outputs": "findings.md#fewer-symbols",
    "fewer-numbers": "findings.md#fewer-symbols",
    "weight-matching": "findings.md#matching-hidden-units",
    "selection": "findings.md#selection-alone",
    "aux-at-width": "findings.md#as-many-logits-as-hidden-units",
    "random-labels": "findings.md#random-labels-in-bits",
}
"""By experiment, where its details are."""


class Number(NamedTuple):
    """What is shown of one metric at one point of a committed sweep."""

    words: str
    experiment: str
    at: Mapping[str, Any]
    metric: str = "student_aux.accuracy"


class Known(NamedTuple):
    """One row: what is said, by whom, which of our numbers speak to it, and the verdict in words."""

    claim: str
    source: str
    numbers: tuple[Number, ...]
    verdict: str


@functools.cache
def _trials(path: str) -> tuple[TrialMetrics, ...]:
    definition = read(Path(path).stem)
    kind = type(definition.config)
    assert issubclass(kind, RunConfig)
    found = RESULTS / f"{path}.csv"
    return tuple(read_sweep(found) if path.startswith("sweeps/") else read_trials(found, kind))


def measured(number: Number) -> Estimate | HalfLife:
    """Return the mean over seeds of one number, or a half-life, with its interval.

    Raises:
        ValueError: if no committed trial is at that point.
    """
    if number.metric == "half_life":
        return half_lives.committed(bias_correction=number.at["bias_correction"])[number.at["num_aux"]]
    if number.experiment == "fewer-numbers":
        return _of_numbers(number)
    base = read(Path(number.experiment).stem).config
    config = base.changed(number.at)
    values = [one.metrics[number.metric] for one in _trials(number.experiment) if one.config == config]
    if not values:
        raise ValueError(f"{number.experiment}: expected trials at {dict(number.at)}, got none")
    images = config.num_test if number.metric.endswith("accuracy") else None
    return estimate(values, num_images=images)


def _of_numbers(number: Number) -> Estimate:
    """Return the trait of an arm of the numbers channel."""
    arms = arms_by_head(_document(number.experiment))[number.at["num_numbers"]]
    return arms[number.metric.removesuffix(".trait")].trait


@functools.cache
def _document(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def cell(number: Number) -> str:
    """Return a number in words, with its interval and its seeds."""
    found = measured(number)
    low, high = found.interval
    return f"{number.words} {found.mean:.3f} [{low:.3f}, {high:.3f}]"


def rows() -> list[str]:
    """Return the rows whose results are committed, as Markdown."""
    found = []
    for one in KNOWN:
        if all(_is_committed(number.experiment) for number in one.numbers):
            ours = "; ".join(cell(number) for number in one.numbers)
            names = dict.fromkeys(Path(number.experiment).stem for number in one.numbers)
            experiments = ", ".join(f"[`{name}`]({SECTIONS[name]})" for name in names)
            cells = [one.claim, _linked(one.source), f"{experiments}: {ours}", one.verdict]
            found.append(f"| {' | '.join(cells)} |")
    return found


def _is_committed(experiment: str) -> bool:
    return any((RESULTS / f"{experiment}{ending}").exists() for ending in (".csv", ".json"))


def _linked(source: str) -> str:
    return source if source == OURS else f"[{source}]({SOURCES[source]})"


def insert(page: str) -> str:
    """Return a page with the table between its marks.

    Raises:
        ValueError: if the page has no marks.
    """
    head = "| claim | who says it | our numbers, 95 % intervals | verdict |\n| --- | --- | --- | --- |"
    return between_marks(page, "known table", "\n".join([head, *rows()]))


def claims() -> list[Known]:
    """Return the rows of the claims file."""
    values = json.loads((Path(__file__).with_name("known.json")).read_text(encoding="utf-8"))
    return [
        Known(one["claim"], one["source"], tuple(Number(*number) for number in one["numbers"]), one["verdict"])
        for one in values
    ]


KNOWN = claims()
