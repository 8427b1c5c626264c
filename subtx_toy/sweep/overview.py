"""How far a sweep is, read from its store alone: states, running means, and when it may be done."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from subtx_toy.errors import InputError
from subtx_toy.results.cells import favourite
from subtx_toy.settings.messages import nearest
from subtx_toy.stats import finite_estimate
from subtx_toy.store import Store
from subtx_toy.store.inspection import is_results
from subtx_toy.store.trials import running, states
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.rounds import grouped
from subtx_toy.sweep.session import Tally
from subtx_toy.sweep.trial import Trial

_RECENT = 50  # finished trials from which the rate is taken
_LETTERS = {"done": "d", "failed": "f", "running": "r", "pending": "p", "new": "n"}


class SweepOverview:
    """The trials of a plan as other processes leave them in the store; nothing is written, and nothing is run.

    Args:
        plan: experiment, axes and seeds.
        trials: all of them.
        store: the results file, which may not be there yet.
        metric: of the running means; empty for the accuracy of ``student_aux``, or the alignment.
    """

    def __init__(self, plan: Plan, trials: Sequence[Trial], store: Path, *, metric: str = "") -> None:
        self.plan, self.trials, self.path, self._metric = plan, list(trials), store, metric
        self._keys = [trial.run_id for trial in trials]
        self._means: dict[str, dict[str, float]] = {}  # of finished trials, by key: they never change

    def tally(self) -> Tally:
        """Return how many trials are stored and failed, and who runs others."""
        if not is_results(self.path):
            return Tally(len(self._keys))
        with Store(self.path, read_only=True) as store:
            found = Counter(states(store, self._keys).values())
            return Tally(
                len(self._keys), stored=found["done"], failed_before=found["failed"], waiting_for=running(store)
            )

    def document(self) -> dict[str, Any]:
        """Return everything that a page shows, as JSON values.

        ``states`` of a configuration has one letter a seed: d done, f failed, r running, p pending, n new. ``eta`` is
        in seconds, from the rate of the last fifty trials; None where it cannot be told.

        Raises:
            InputError: if no finished trial has the metric.
        """
        known: dict[str, str] = {}
        moments: list[float] = []
        if is_results(self.path):
            with Store(self.path, read_only=True) as store:
                known = states(store, self._keys)
                self._read(store, [key for key in self._keys if known.get(key) == "done"])
                moments = _latest(store, self._keys)
        names = dict.fromkeys(name for metrics in self._means.values() for name in metrics)
        metric = self._metric or favourite(names)
        if names and metric not in names:
            raise InputError(f"metric: expected one of {', '.join(names)}, got {metric!r}{nearest(metric, names)}")
        counts = Counter(known.get(key, "new") for key in self._keys)
        left = len(self._keys) - counts["done"] - counts["failed"]
        return {
            "experiment": self.plan.definition.name, "question": self.plan.definition.question, "metric": metric,
            "axes": self.plan.swept, "seeds": self.plan.seeds, "counts": dict(counts), "trials": len(self._keys),
            "left": left, "eta": _eta(left, moments), "now": time.time(),
            "configurations": [self._row(group.trials, known, metric) for group in grouped(self.trials)],
        }  # fmt: skip

    def _read(self, store: Store, keys: Sequence[str]) -> None:
        fresh = [key for key in keys if key not in self._means]
        query = "SELECT run_id, metrics FROM results WHERE run_id IN (SELECT value FROM json_each(?))"
        store.connection.catch_up()
        for key, text in store.connection.rows(query, json.dumps(fresh)):
            self._means[key] = json.loads(text)

    def _row(self, trials: Sequence[Trial], known: dict[str, str], metric: str) -> dict[str, Any]:
        values = [self._means[one.run_id].get(metric, math.nan) for one in trials if one.run_id in self._means]
        found = finite_estimate(values)
        return {
            "settings": {name: getattr(trials[0].config, name) for name in self.plan.swept},
            "states": "".join(_LETTERS[known.get(one.run_id, "new")] for one in trials), "n": found.n,
            "mean": found.mean if found.n else None, "ci95": found.ci95 if found.n > 1 else None,
        }  # fmt: skip


def _latest(store: Store, keys: Sequence[str]) -> list[float]:
    query = "SELECT finished_at FROM runs WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY finished_at DESC"
    return [moment for (moment,) in store.connection.rows(f"{query} LIMIT ?", json.dumps(list(keys)), _RECENT)]


def _eta(left: int, moments: Sequence[float]) -> float | None:
    """Return the seconds that the rest takes at the rate of the latest trials, newest first.

    >>> _eta(10, [6.0, 4.0, 2.0])
    20.0
    """
    if not left:
        return 0.0
    if len(moments) < 2 or moments[0] <= moments[-1]:
        return None
    return left * (moments[0] - moments[-1]) / (len(moments) - 1)
