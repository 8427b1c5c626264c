"""What a sweep did, and what one would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.display import Shown
from subtx_toy.api.results import results
from subtx_toy.results.presentation import Table, clock
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.schedule import Cost
from subtx_toy.sweep.session import Tally
from subtx_toy.sweep.trial import Trial

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Sweep(Shown):
    """A sweep as this session left it.

    Attributes:
        plan: experiment, axes and seeds.
        tally: trials done, failed and left.
        store: the results file.
    """

    plan: Plan
    tally: Tally
    store: Path

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
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the stored trials of the plan, one row each, as ``results`` does; needs the extra ``export``."""
        return results(self.plan, store=self.store)

    @property
    def conclusion(self) -> str:
        """How many trials are stored, failed and left."""
        tally = self.tally
        return (
            f"{tally.stored + tally.done + tally.elsewhere} of {tally.total} trials of {self.plan.definition.name} "
            f"are stored, {tally.failed + tally.failed_before} failed, {tally.left} are left"
        )

    @property
    def tables(self) -> list[Table]:
        """The axes, the seeds and the results file."""
        axes = [[name, ", ".join(map(str, values))] for name, values in self.plan.swept.items()]
        return [
            Table(
                ["sweep", self.plan.definition.name], [*axes, ["seeds", self.plan.seeds], ["records", str(self.store)]]
            )
        ]


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
        lines = [f"{len(self.trials)} trials, {self._count('done')} of them done, {self.num_to_run} to run"]
        failed = self._count("failed")
        if failed and not self.retry_failed:
            lines.append(f"{failed} failed earlier and are left alone (--retry-failed runs them again)")
        if self.num_to_run and self.cost is None:
            lines.append("time: unknown, no record of a trial like these is stored")
        elif self.num_to_run and self.cost is not None:
            seconds = clock(self.cost.cpu_seconds / self.workers)
            lines.append(f"time: about {seconds} on {self.workers} processors, {self.cost.basis}")
        return "\n".join(lines)
