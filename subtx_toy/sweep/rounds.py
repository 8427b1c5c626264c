"""Sweeps that decide as they go which configurations get more seeds: until an interval is narrow, or by halving."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from subtx_toy.errors import InputError
from subtx_toy.results.cells import favourite
from subtx_toy.settings.messages import nearest
from subtx_toy.stats import Estimate, finite_estimate
from subtx_toy.store import Store
from subtx_toy.sweep.looks import Until, best, looks, rungs
from subtx_toy.sweep.trial import Trial
from subtx_toy.wording import counted


@dataclass
class Group:
    """The trials of one configuration in the order of the seeds; the first ``num`` of them are run or under way."""

    trials: list[Trial]
    num: int = 0
    settled: bool = False
    story: list[dict[str, Any]] = field(default_factory=list)

    def more(self, num: int) -> list[Trial]:
        """Return the trials that are added to have ``num`` seeds."""
        added = self.trials[self.num : num]
        self.num = max(self.num, num)
        return added

    def estimate(self, store: Store, metric: str) -> Estimate:
        """Return the mean of a metric over the seeds that are stored."""
        records = store.get([trial.run_id for trial in self.trials[: self.num]])
        known = dict.fromkeys(name for record in records.values() for name in record.settled)
        chosen = metric or favourite(known)
        if known and chosen not in known:
            raise InputError(f"until: expected one of {', '.join(known)}, got {chosen!r}{nearest(chosen, known)}")
        values = [record.settled[chosen] for record in records.values() if chosen in record.settled]
        return finite_estimate(values)


class Rounds(Protocol):
    """Rounds of trials, each chosen after the one before is stored."""

    groups: list[Group]

    def each(self, store: Store) -> Iterator[tuple[str, list[Trial]]]:
        """Yield what a round is, in words, and its new trials."""
        ...


def grouped(trials: Sequence[Trial]) -> list[Group]:
    """Return the trials by configuration, each in the order of its seeds."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(repr(trial.config), []).append(trial)
    return [Group(found) for found in groups.values()]


class UntilNarrow:
    """More seeds for every configuration whose interval is still wide, at the looks that are planned."""

    def __init__(self, trials: Sequence[Trial], until: Until) -> None:
        self.groups, self._until = grouped(trials), until
        self._looks = looks(max(len(group.trials) for group in self.groups))

    def each(self, store: Store) -> Iterator[tuple[str, list[Trial]]]:
        """Yield the looks; a configuration that is narrow enough at one gets no more seeds."""
        for number, look in enumerate(self._looks, start=1):
            open_groups = [group for group in self.groups if not group.settled]
            if not open_groups:
                return
            text = (
                f"look {number} of {len(self._looks)}: {counted(look.num_seeds, 'seed')} of "
                f"{counted(len(open_groups), 'configuration')}, level {look.level:.4f}, {look.spent:.4f} of 0.05 spent"
            )
            yield text, [trial for group in open_groups for trial in group.more(look.num_seeds)]
            for group in open_groups:
                found = group.estimate(store, self._until.metric)
                half = look.half_width(found)
                group.settled = half < self._until.half_width
                group.story.append(
                    {"look": number, "n": found.n, "mean": found.mean, "half_width": half, "level": look.level,
                     "spent": look.spent, "narrow": group.settled}
                )  # fmt: skip


class Halving:
    """More seeds for the configurations with the best means; what is kept is chosen, and its mean too good."""

    def __init__(self, trials: Sequence[Trial], factor: int, *, metric: str = "") -> None:
        self.groups, self._metric = grouped(trials), metric
        self._rungs = rungs(len(self.groups), max(len(group.trials) for group in self.groups), factor=factor)

    def each(self, store: Store) -> Iterator[tuple[str, list[Trial]]]:
        """Yield the rungs."""
        kept = list(self.groups)
        for number, (num, num_seeds) in enumerate(self._rungs, start=1):
            if number > 1:
                means = [group.estimate(store, self._metric).mean for group in kept]
                kept = [kept[at] for at in best(means, num)]
            what = f"{counted(num_seeds, 'seed')} of {counted(len(kept), 'configuration')}"
            text = f"rung {number} of {len(self._rungs)}: {what}"
            yield text, [trial for group in kept for trial in group.more(num_seeds)]
            for group in kept:
                found = group.estimate(store, self._metric)
                group.story.append({"rung": number, "n": found.n, "mean": found.mean, "biased": True})
        for group in kept:
            group.settled = True
