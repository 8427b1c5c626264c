"""What a sweep did, and what one would do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.display import Shown
from subtx_toy.api.results import results
from subtx_toy.results.presentation import Table, clock
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.rounds import Group
from subtx_toy.sweep.schedule import Cost
from subtx_toy.sweep.session import Tally
from subtx_toy.sweep.trial import Trial
from subtx_toy.wording import be, counted

if TYPE_CHECKING:
    import pandas as pd


_MOST_NAMED = 8  # values that a sentence about new trials lists


@dataclass(frozen=True, repr=False)
class Sweep(Shown):
    """A sweep as this session left it.

    Attributes:
        plan: experiment, axes and seeds.
        tally: trials done, failed and left.
        store: the results file.
        groups: of a sweep that decides as it goes, each configuration with its looks or rungs.
    """

    plan: Plan
    tally: Tally
    store: Path
    groups: tuple[Group, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every trial is stored."""
        return not (self.tally.failed or self.tally.failed_before or self.tally.left)

    def document(self) -> dict[str, Any]:
        """Return the JSON document of the command."""
        tally = self.tally
        return {
            "experiment": self.plan.definition.name,
            "axes": self.plan.swept,
            "trials": tally.total,
            "done": tally.stored + tally.done,
            "failed": tally.failed + tally.failed_before,
            "elsewhere": tally.elsewhere,
            "left": tally.left,
            "store": str(self.store),
            **({"configurations": [self._told(group) for group in self.groups]} if self.groups else {}),
        }

    def _told(self, group: Group) -> dict[str, Any]:
        at = {name: getattr(group.trials[0].config, name) for name in self.plan.swept}
        return {"settings": at, "seeds": group.num, "settled": group.settled, "story": group.story}

    def to_frame(self) -> pd.DataFrame:
        """Return the stored trials of the plan, one row each, as ``results`` does; needs the extra ``export``."""
        return results(self.plan, store=self.store)

    @property
    def conclusion(self) -> str:
        """How many trials are stored, failed and left."""
        tally = self.tally
        stored = tally.stored + tally.done + tally.elsewhere
        return (
            f"{stored} of {counted(tally.total, 'trial')} of {self.plan.definition.name} {be(stored)} stored, "
            f"{tally.failed + tally.failed_before} failed, {tally.left} {be(tally.left)} left"
        )

    @property
    def tables(self) -> list[Table]:
        """The axes, the seeds and the results file."""
        axes = [[name, ", ".join(map(str, values))] for name, values in self.plan.swept.items()]
        return [
            Table(
                ["sweep", self.plan.definition.name], [*axes, ["seeds", self.plan.seeds], ["records", str(self.store)]]
            ),
            *self._decided,
        ]

    @property
    def _decided(self) -> list[Table]:
        """Of a sweep that decides as it goes: the last look or rung of each configuration."""
        if not self.groups:
            return []
        is_halving = "rung" in (self.groups[0].story or [{"rung": 1}])[-1]
        header = [*self.plan.swept, "seeds", "mean", *(["last rung"] if is_halving else ["half-width", "level spent"])]
        rows = []
        for group in self.groups:
            last = group.story[-1] if group.story else {"mean": math.nan, "rung": 0, "half_width": math.nan, "spent": 0}
            numbers = [str(last.get("rung"))] if is_halving else [f"{last['half_width']:.3g}", f"{last['spent']:.4f}"]
            axes = [str(getattr(group.trials[0].config, name)) for name in self.plan.swept]
            verdict = ("kept" if group.settled else "") if is_halving else "narrow" if group.settled else "still wide"
            rows.append([*axes, str(group.num), f"{last['mean']:.4g}", *numbers, verdict])
        return [Table([*header, "verdict"], rows)]


@dataclass(frozen=True, repr=False)
class Preview(Shown):
    """The trials of a sweep before it runs.

    Attributes:
        plan: experiment, axes and seeds.
        trials: all of them, in the order in which they would run.
        state: by key, ``"new"``, ``"pending"``, ``"running"``, ``"done"`` or ``"failed"``.
        num_to_run: how many would run.
        cost: their estimated CPU seconds; None where nothing like them is stored.
        workers: processes that would share them.
        retry_failed: whether those that failed would run again.
    """

    plan: Plan
    trials: tuple[Trial, ...]
    state: Mapping[str, str]
    num_to_run: int
    cost: Cost | None
    workers: int
    retry_failed: bool

    def _count(self, state: str) -> int:
        return sum(self.state[trial.run_id] == state for trial in self.trials)

    def document(self) -> dict[str, Any]:
        """Return the JSON document of ``sweep --dry-run``."""
        swept, cost = self.plan.swept, self.cost
        return {
            "experiment": self.plan.definition.name,
            "axes": swept,
            "seeds": self.plan.seeds,
            "trials": len(self.trials),
            "done": self._count("done"),
            "failed": self._count("failed"),
            "new": self._count("new"),
            "to_run": self.num_to_run,
            "estimated_cpu_seconds": cost and cost.cpu_seconds,
            "estimated_seconds": cost and cost.cpu_seconds / self.workers,
            "estimated_from": cost and cost.basis,
            "plan": [
                {
                    "run_id": trial.run_id,
                    "state": self.state[trial.run_id],
                    "seed": trial.seed,
                    "settings": {name: getattr(trial.config, name) for name in swept},
                }
                for trial in self.trials
            ],
        }

    @property
    def _what_is_new(self) -> str:
        """Name the values of settings that only new trials have, where these are all that is new."""
        new = [trial for trial in self.trials if self.state[trial.run_id] == "new"]
        known = [trial for trial in self.trials if self.state[trial.run_id] != "new"]
        if not known:
            return ""
        told: list[str] = []
        named: set[str] = set()
        for name in (*self.plan.swept, "seed"):
            old = {_value(trial, name) for trial in known}
            added = {_value(trial, name): trial.run_id for trial in new if _value(trial, name) not in old}
            told += [f"{name}={value}" for value in added]
            named |= {trial.run_id for trial in new if _value(trial, name) in added}
        if len(named) < len(new):
            return ""
        more = f" and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
        return f": {', '.join(told[:_MOST_NAMED])}{more}"

    @property
    def tables(self) -> list[Table]:
        """One row for each trial."""
        swept = self.plan.swept
        rows = [
            [one.run_id, self.state[one.run_id], str(one.seed), *(str(getattr(one.config, name)) for name in swept)]
            for one in self.trials
        ]
        return [Table(["run", "state", "seed", *swept], rows)]

    @property
    def conclusion(self) -> str:
        """How many trials would run, and for how long."""
        lines = [f"{counted(len(self.trials), 'trial')}, {self._count('done')} of them done, {self.num_to_run} to run"]
        if new := self._count("new"):
            lines.append(f"{new} of {len(self.trials)} {be(new)} new{self._what_is_new}")
        failed = self._count("failed")
        if failed and not self.retry_failed:
            lines.append(f"{failed} failed earlier and {be(failed)} left alone (--retry-failed runs them again)")
        if self.num_to_run and self.cost is None:
            lines.append("time: unknown, no record of a trial like these is stored")
        elif self.num_to_run and self.cost is not None:
            seconds = clock(self.cost.cpu_seconds / self.workers)
            lines.append(f"time: about {seconds} on {counted(self.workers, 'processor')}, {self.cost.basis}")
        return "\n".join(lines)


def _value(trial: Trial, name: str) -> object:
    return trial.seed if name == "seed" else getattr(trial.config, name)
