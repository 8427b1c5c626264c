"""Means over seeds, one cell for each configuration."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from subtx_toy.errors import InputError
from subtx_toy.results.rows import Selection, Version
from subtx_toy.results.run_summary import share_of
from subtx_toy.settings.messages import nearest
from subtx_toy.stats import Estimate, finite_estimate
from subtx_toy.store.record import DIVERGED
from subtx_toy.store.results import Result

_Group = tuple[int, Version, str]  # configuration, version of the results, checksum of the data


@dataclass(frozen=True)
class Cell:
    """One metric of one configuration over its seeds.

    Attributes:
        axes: the settings in which the selected trials differ, with this configuration's values; ``results_version``
            and ``dataset_sha256`` are among them where they differ.
        metric: name of the final metric.
        estimate: mean with standard error and interval over the ``n`` seeds whose value is finite; nan if none is.
        not_finite: how many seeds have no finite value.
        diverged: in how many of those the arm diverged.
    """

    axes: dict[str, object]
    metric: str
    estimate: Estimate
    not_finite: int
    diverged: int = 0


def summarize(selection: Selection, *, metrics: Sequence[str] = (), pool_versions: bool = False) -> list[Cell]:
    """Return the mean of each metric over the seeds of each configuration, in the order of the axes.

    Trials of different versions or data are different cells; ``pool_versions`` puts versions together. A seed counts
    once in a cell, with the newest of its versions. Where no metric is named, it is the accuracy of ``student_aux``, or
    the alignment.
    """
    protocols = {selection.settings[number].protocol for number in {result.config_id for result in selection.results}}
    if len(protocols) > 1:
        raise InputError(f"results: expected one protocol, got {sorted(protocols)}; name an experiment")
    known = dict.fromkeys(itertools.chain.from_iterable(result.metrics for result in selection.results))
    unknown = [name for name in metrics if name not in known and selection.results]
    InputError.gather(
        f"metric: expected one of {', '.join(known)}, got {name!r}{nearest(name, known)}" for name in unknown
    )
    chosen = [name for name in metrics or (favourite(known),) if name]
    groups: dict[_Group, dict[int, dict[str, float]]] = defaultdict(dict)
    for result in _oldest_first(selection):
        version = 0 if pool_versions else selection.version(result)
        groups[result.config_id, version, result.dataset_sha256][result.seed] = result.metrics
    places = _places(selection, list(groups))
    num_test = {group: selection.settings[group[0]].num_test for group in groups}
    cells = []
    for metric in chosen:
        for place, (group, rows) in zip(places, groups.items(), strict=True):
            values = [row[metric] for row in rows.values() if metric in row]
            if values:
                not_finite = sum(not math.isfinite(value) for value in values)
                num_images = share_of(metric, values, {"num_test": num_test[group]})
                name = f"{metric.partition('.')[0]}{DIVERGED}"
                diverged = sum(name in row and metric in row for row in rows.values())
                found = finite_estimate(values, num_images=num_images)
                cells.append(Cell(place, metric, found, not_finite, diverged))
    return sorted(cells, key=lambda cell: (chosen.index(cell.metric), *map(order, cell.axes.values())))


def _oldest_first(selection: Selection) -> list[Result]:
    """Return the trials by version; of one RESULTS_VERSION, another BF16_VERSION counts as older."""
    if not selection.other and len({one.results_version for one in selection.results}) < 2:
        return list(selection.results)
    return sorted(selection.results, key=lambda one: (one.results_version, one.run_id not in selection.other))


def _places(selection: Selection, groups: Sequence[_Group]) -> list[dict[str, object]]:
    """Return what tells each group from the others."""
    configs = {number: selection.settings[number] for number, _, _ in groups}
    kinds = dict.fromkeys(type(config) for config in configs.values())
    names = dict.fromkeys(name for kind in kinds for name in kind.model_fields)
    swept = [name for name in names if len({getattr(config, name, None) for config in configs.values()}) > 1]
    several_versions = len({version for _, version, _ in groups}) > 1
    several_data = len({(number, version) for number, version, _ in groups}) < len(groups)
    places: list[dict[str, object]] = []
    for number, version, sha256 in groups:
        place: dict[str, object] = {name: getattr(configs[number], name) for name in swept}
        if several_versions:
            place["results_version"] = version
        if several_data:
            place["dataset_sha256"] = sha256
        places.append(place)
    return places


def favourite(known: Collection[str]) -> str:
    """Return the metric that is shown where none is named, empty where there is none.

    It says whether the trait came over, or the student moved towards the teacher.
    """
    return next((name for name in ("student_aux.accuracy", "alignment", *known) if name in known), "")


def order(value: object) -> tuple[bool, float, str]:
    """Return what sorts numbers by size and before texts."""
    number = isinstance(value, int | float)
    return (not number, float(value) if isinstance(value, int | float) else math.inf, "" if number else str(value))
