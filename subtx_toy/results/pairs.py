"""Two groups of trials against each other: the difference of a metric, paired by seed where both start alike."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subtx_toy.errors import InputError
from subtx_toy.results.cells import favourite, order
from subtx_toy.results.presentation import Table, mean_document, setting_text, unless_nan
from subtx_toy.results.rows import Selection
from subtx_toy.results.run_summary import share_of
from subtx_toy.settings.messages import nearest
from subtx_toy.stats import Estimate, Interval, finite_estimate, judged, welch_interval
from subtx_toy.wording import counted

INITIAL_SETTINGS = frozenset(
    ("protocol", "model", "width", "depth", "num_aux", "init", "init_scale", "dataset", "num_train", "num_test")
)
"""Settings that the first parameters, or the data, of a seed hang on: where one differs, seeds are no pairs."""

_Seeds = dict[int, float]
_Config = Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    """One metric of two configurations that agree in ``at``; the difference is that of the second minus the first.

    Attributes:
        at: the settings that both have, among those that vary.
        first: mean over the seeds of the first; where seeds are paired, over those with a value in both.
        second: the same of the second.
        estimate: mean difference, with its standard error.
        interval: its 95 % interval.
        paired: whether the seeds were paired.
        same: whether both are the same trials; then there is no interval.
    """

    at: dict[str, object]
    first: Estimate
    second: Estimate
    estimate: Estimate
    interval: Interval
    paired: bool
    same: bool = False

    @property
    def verdict(self) -> str:
        """Which of the two is higher, or that no difference was found; ``n`` are the pairs where there are pairs."""
        if not self.estimate.n:
            return "no value"
        if self.same:
            return "the same trials"
        low, high = self.interval
        found = "second is higher" if low > 0 else "first is higher" if high < 0 else "no difference found"
        return judged(found, n=self.estimate.n)

    @property
    def document(self) -> dict[str, object]:
        """The same as JSON values."""
        return {
            "at": self.at, "first": mean_document(self.first), "second": mean_document(self.second),
            "difference": self.estimate.mean, "interval": list(self.interval), "n": self.estimate.n,
            "paired": self.paired, "verdict": self.verdict,
        }  # fmt: skip


@dataclass(frozen=True)
class Pairs:
    """A metric of two groups of trials, configuration by configuration.

    Attributes:
        metric: its name.
        told_apart: the settings in which the groups differ, with the values of either.
        rows: one for each configuration of the first that has a partner.
        unmatched: configurations of either group without a partner.
        shared: trials that are in both groups, which differ in nothing there.
    """

    metric: str
    told_apart: dict[str, tuple[list[object], list[object]]]
    rows: tuple[Pair, ...]
    unmatched: int
    shared: int = 0

    @property
    def notes(self) -> list[str]:
        """What a reader has to know of the comparison."""
        notes = [f"without a partner: {counted(self.unmatched, 'configuration')}"] if self.unmatched else []
        return notes + (
            [f"in both groups: {counted(self.shared, 'trial')}, which cannot differ"] if self.shared else []
        )

    @property
    def conclusion(self) -> str:
        """The result in one sentence."""
        counts: dict[str, int] = defaultdict(int)
        for row in self.rows:
            counts[row.verdict] += 1
        if len(self.rows) == 1:
            (row,) = self.rows
            interval = interval_words(row.interval)
            if not row.estimate.n:
                whose = "no seed of both groups has a finite value" if row.paired else "one group has no finite value"
                return f"{self.metric}: {whose}."
            return f"{self.metric}: the second minus the first is {row.estimate.mean:+.3g}{interval}: {row.verdict}."
        found = ", ".join(f"{verdict} in {num}" for verdict, num in counts.items())
        return f"{self.metric} over {counted(len(self.rows), 'pair of configurations')}: {found}."

    @property
    def table(self) -> Table:
        """One row a pair."""
        header = [*self.rows[0].at, "first", "second", "difference", "95 % interval", "n", "seeds", "verdict"]
        return Table(
            header,
            [
                [
                    *map(setting_text, row.at.values()),
                    *(unless_nan(one.mean, form) for one, form in (
                        (row.first, ".4g"), (row.second, ".4g"), (row.estimate, "+.3g"))),
                    interval_words(row.interval).removeprefix(" (").removesuffix(")"), str(row.estimate.n),
                    "paired" if row.paired else "apart", row.verdict,
                ]
                for row in self.rows
            ],
            num_settings=len(self.rows[0].at),
        )  # fmt: skip


def interval_words(interval: Interval) -> str:
    """Write the ends of an interval in brackets; nothing where there is none."""
    return "" if math.isnan(interval[0]) else f" ({interval[0]:+.3g} to {interval[1]:+.3g})"


def compare(first: Selection, second: Selection, *, metric: str | None = None) -> Pairs:
    """Compare a metric between two groups of trials.

    Settings that tell the groups apart are those whose values in one never occur in the other. Configurations that
    agree in all other settings are partners. Seeds are paired, and the interval is that of the paired differences,
    where none of INITIAL_SETTINGS tells the partners apart; otherwise it is Welch's.

    Raises:
        InputError: if a group is empty, the metric is in none of them, or no configuration has a partner.
    """
    for name, group in (("first", first), ("second", second)):
        if not group.results:
            raise InputError(f"{name}: expected stored trials, got none")
    chosen = _metric(first, second, metric)
    groups = [_values(one, chosen) for one in (first, second)]
    fields = dict.fromkeys(name for group in groups for config, _ in group for name in config)
    values = [{name: {repr(config.get(name)) for config, _ in group} for name in fields} for group in groups]
    apart = [name for name in fields if not values[0][name] & values[1][name]]
    told = {name: (_seen(groups[0], name), _seen(groups[1], name)) for name in apart}
    rest = [name for name in fields if name not in apart]
    swept = [name for name in rest if len(values[0][name] | values[1][name]) > 1]
    partners: dict[str, list[tuple[_Config, _Seeds]]] = defaultdict(list)
    for config, seeds in groups[1]:
        partners[repr([config.get(name) for name in rest])].append((config, seeds))
    rows, unmatched, met = [], 0, set[str]()
    for config, seeds in groups[0]:
        place = repr([config.get(name) for name in rest])
        there = partners.get(place, [])
        met.add(place)
        unmatched += not there
        for other, theirs in there:
            differing = [name for name in fields if config.get(name) != other.get(name)]
            at = {name: config.get(name) for name in swept}
            at |= {name: other.get(name) for name in differing} if len(there) > 1 else {}
            rows.append(_pair(chosen, at, (config, seeds), (other, theirs), differing))
    if not rows:
        raise InputError(
            f"compare: expected configurations that differ in one group of settings only, got none that agree in "
            f"{', '.join(swept) or 'the others'}"
        )
    rows.sort(key=lambda row: [order(value) for value in row.at.values()])
    unmatched += sum(len(found) for place, found in partners.items() if place not in met)
    shared = {row.run_id for row in first.results} & {row.run_id for row in second.results}
    return Pairs(chosen, told, tuple(rows), unmatched, len(shared))


def _pair(
    metric: str, at: dict[str, object], one: tuple[_Config, _Seeds], two: tuple[_Config, _Seeds],
    differing: Sequence[str],
) -> Pair:  # fmt: skip
    ours, theirs = one[1], two[1]
    images = [share_of(metric, list(values.values()), table) for table, values in (one, two)]
    first = finite_estimate(list(ours.values()), num_images=images[0])
    second = finite_estimate(list(theirs.values()), num_images=images[1])
    if not differing and ours == theirs:
        nothing = Estimate(0.0, 0.0, first.n)
        return Pair(at, first, second, nothing, Interval(math.nan, math.nan), paired=True, same=True)
    common = [seed for seed in sorted(ours) if seed in theirs]
    if common and not INITIAL_SETTINGS & set(differing):
        differences = {seed: theirs[seed] - ours[seed] for seed in common}
        found = finite_estimate(list(differences.values()), num_images=images[0], paired=True)
        if kept := [seed for seed, value in differences.items() if math.isfinite(value)]:
            first = finite_estimate([ours[seed] for seed in kept], num_images=images[0])
            second = finite_estimate([theirs[seed] for seed in kept], num_images=images[1])
        return Pair(at, first, second, found, found.interval, paired=True)
    error = math.hypot(first.standard_error, second.standard_error)
    found = Estimate(second.mean - first.mean, error, min(first.n, second.n))
    return Pair(at, first, second, found, welch_interval(second, first), paired=False)


def _values(selection: Selection, metric: str) -> list[tuple[_Config, _Seeds]]:
    """Return every configuration with the metric by seed, of each seed the newest."""
    found: dict[int, _Seeds] = defaultdict(dict)
    for row in sorted(selection.results, key=lambda row: row.results_version):
        if metric in row.metrics:
            found[row.config_id][row.seed] = row.metrics[metric]
    tables = {number: {"protocol": config.protocol, **dict(config)} for number, config in selection.settings.items()}
    return [(tables[number], seeds) for number, seeds in found.items()]


def _metric(first: Selection, second: Selection, wanted: str | None) -> str:
    known = dict.fromkeys(name for row in first.results for name in row.metrics)
    known = {name: None for name in known if any(name in row.metrics for row in second.results)}
    if not known:
        raise InputError("compare: expected a metric that both groups have, got none")
    if wanted is not None and wanted not in known:
        raise InputError(f"metric: expected one of {', '.join(known)}, got {wanted!r}{nearest(wanted, known)}")
    return wanted or favourite(known)


def _seen(group: Sequence[tuple[_Config, _Seeds]], name: str) -> list[object]:
    return list({repr(config.get(name)): config.get(name) for config, _ in group}.values())
