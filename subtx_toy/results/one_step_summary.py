"""The records of a one-step experiment, by where the student starts: values over eps, and their orders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.store.record import RunRecord


@dataclass(frozen=True)
class StartSummary:
    """All seeds of one ``student_init``, over eps.

    Attributes:
        student_init: where the student starts; the perturbation is part of it where there is one.
        eps: step sizes of the teacher, increasing, ``[e]``.
        values: metrics by name, ``[e, s]`` with one column a seed.
    """

    student_init: str
    perturbation: float
    eps: np.ndarray
    values: dict[str, np.ndarray]

    def order(self, name: str) -> float:
        """Return the slope of log |value| against log eps, fitted to the mean of the logarithms over the seeds.

        It is nan where there are less than two eps, or a value is zero.
        """
        if len(self.eps) < 2 or not self.values[name].all():
            return math.nan
        logs = np.log(np.abs(self.values[name])).mean(axis=1)
        return float(np.polyfit(np.log(self.eps), logs, 1)[0])


def by_start(records: Sequence[RunRecord], *, student_lr: float) -> list[StartSummary]:
    """Group the records at one student_lr by where the student starts; a seed missing at some eps is left out."""
    groups: dict[tuple[str, float], dict[float, dict[int, RunRecord]]] = {}
    for record in records:
        config = OneStepConfig.parse(record.config)
        if config.student_lr == student_lr:
            rows = groups.setdefault((config.student_init, config.perturbation), {})
            rows.setdefault(config.eps, {})[record.seed] = record
    found = []
    for (student_init, perturbation), rows in groups.items():
        seeds = sorted(set.intersection(*(set(row) for row in rows.values())))
        eps = sorted(rows)
        names = next(iter(rows[eps[0]].values())).metrics if seeds else {}
        values = {
            name: np.array([[rows[step][seed].metrics[name] for seed in seeds] for step in eps]) for name in names
        }
        if seeds:
            found.append(StartSummary(student_init, perturbation, np.array(eps), values))
    return found


def over_student_lr(records: Sequence[RunRecord], *, eps: float) -> dict[str, np.ndarray]:
    """Return, for shared starts at one eps, one entry a record: step sizes and changes of the squared distance.

    ``step`` is student_lr over its predicted window 2 V / ||G dT||^2; ``change`` is (after^2 - before^2)/(cos^2
    before^2), which theory puts at 4 step (step - 1) to leading order: below zero inside the window, least at 1/2.
    Where the student does not see the teacher's step there is no window, and no entry.
    """
    steps, changes = [], []
    for record in records:
        config, seen = OneStepConfig.parse(record.config), record.metrics
        if config.student_init == "shared" and config.eps == eps and math.isfinite(seen["predicted_window"]):
            before, after = seen["distance_before"], seen["distance_after"]
            steps.append(config.student_lr / seen["predicted_window"])
            changes.append((after - before) * (after + before) / (seen["predicted_cosine"] * before) ** 2)
    return {"step": np.array(steps), "change": np.array(changes)}
