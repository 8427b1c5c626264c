"""What bfloat16 changes in the published sweeps: trials of the same seeds in both precisions, paired, as Markdown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from paper_figs.tables.exported import read_sweep
from paper_figs.tables.marks import between_marks
from subtx_toy.results.comparison import TrialMetrics
from subtx_toy.settings.distillation import STUDENT_ARMS, RunConfig
from subtx_toy.stats import estimate

FOLDERS = "fp32", "bf16"
"""Of the trials in the other precision than those that the published values are compared with."""

_Key = tuple[str, int, str]


def insert(page: str, folder: Path) -> str:
    """Return a page with the table between the marks of the precision table.

    Raises:
        ValueError: if the page has no marks.
    """
    return between_marks(page, "precision table", table(folder))


def table(folder: Path) -> str:
    """Write one row per experiment that was computed in both precisions.

    Differences are of the student arms' accuracies, bfloat16 minus float32, on the same seeds: the mean over points and
    arms with a 95 % t-interval over seeds, and the point whose own mean is farthest from 0.

    Raises:
        InputError: if a file is not a valid export.
    """
    lines = [
        "| experiment | seeds | values | mean difference ± 95 % | largest of a value |",
        "| --- | --- | --- | --- | --- |",
    ]
    paths = [path for name in FOLDERS for path in (folder / name).glob("*.csv")]
    for path in sorted(paths, key=lambda path: path.name):
        other = folder / path.name
        halves, floats = (path, other) if path.parent.name == "bf16" else (other, path)
        found = differences(read_sweep(halves, computed_in="bf16"), read_sweep(floats))
        points = {point for _seed, point in found}
        seeds = sorted({seed for seed, _point in found})
        mean = estimate([float(np.mean([found[seed, point] for point in points])) for seed in seeds], paired=True)
        largest = max((float(np.mean([found[seed, point] for seed in seeds])) for point in points), key=abs)
        told = f"{mean.mean:+.4f} ± {mean.ci95:.4f} | {largest:+.3f}"
        lines.append(f"| `{path.stem}` | {len(seeds)} | {len(points)} | {told} |")
    return "\n".join(lines) + "\n"


def differences(
    ours: Sequence[TrialMetrics], theirs: Sequence[TrialMetrics]
) -> Mapping[tuple[int, tuple[str, str]], float]:
    """Return ours minus theirs by seed and by point and student arm, over the points that are complete in both."""
    left, right = _accuracies(ours), _accuracies(theirs)
    by_point: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for key in left.keys() & right.keys():
        config, seed, arm = key
        by_point[config, arm][seed] = left[key] - right[key]
    seeds = {seed for values in by_point.values() for seed in values}
    complete = {point: values for point, values in by_point.items() if set(values) == seeds}
    return {(seed, point): value for point, values in complete.items() for seed, value in values.items()}


def _accuracies(trials: Sequence[TrialMetrics]) -> dict[_Key, float]:
    return {
        (_name(one.config), one.seed, arm): one.metrics[f"{arm}.accuracy"]
        for one in trials
        for arm in STUDENT_ARMS
        if f"{arm}.accuracy" in one.metrics
    }


def _name(config: RunConfig) -> str:
    return config.model_dump_json()
