"""The one-step experiment over eps, by where the student starts, as a table and as a document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from subtx_toy.files.content_key import finite
from subtx_toy.results.presentation import Presentation, Table, unless_nan
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.store.record import RunRecord
from subtx_toy.tolerances import MIN_SEEDS
from subtx_toy.wording import counted


@dataclass(frozen=True)
class StartSummary:
    """All seeds of one ``student_init``, over eps.

    Attributes:
        student_init: where the student starts; the perturbation is part of it where there is one.
        eps: step sizes of the teacher, increasing, ``[e]``.
        values: metrics by name, ``[e, s]`` with one column per seed.
    """

    student_init: str
    perturbation: float
    eps: np.ndarray
    values: dict[str, np.ndarray]

    @property
    def num_not_finite(self) -> int:
        """How many pairs of steps, over eps and seeds, have an alignment that is not finite."""
        return int((~np.isfinite(self.values["alignment"])).sum())

    def order(self, name: str) -> float:
        """Return the slope of log |value| against log eps, fitted to the mean of the logarithms over the seeds.

        It is nan where there are fewer than two eps, or a value is zero or not finite.
        """
        if len(self.eps) < 2 or not self.values[name].all() or not np.isfinite(self.values[name]).all():
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
    """Return, for shared starts at one eps, one entry per record: step sizes and changes of the squared distance.

    ``step`` is student_lr over its predicted window 2 V / ||G dT||^2; ``change`` is (after^2 - before^2)/(cos^2
    before^2), which theory puts at 4 step (step - 1) to leading order: below zero inside the window, lowest at 1/2.
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


HEADER = ("student starts at", "n", "order of alignment", "order of remainder", "observed/predicted", "positive")


class OneStepSummary(NamedTuple):
    """Values over eps by where the student starts, and changes of the distance over its step size."""

    definition: Definition
    dataset: str
    starts: Sequence[StartSummary]
    over_lr: dict[str, np.ndarray]


def summarise_one_step(definition: Definition, base: Settings, records: Sequence[RunRecord]) -> OneStepSummary:
    """Group some records by where the student starts, and over its step size at the eps of ``base``."""
    assert isinstance(base, OneStepConfig)
    first = OneStepConfig.parse(records[0].config)
    starts = by_start(records, student_lr=first.student_lr)
    return OneStepSummary(definition, first.dataset_title, starts, over_student_lr(records, eps=base.eps))


def present_one_step(summary: OneStepSummary) -> Presentation:
    """Show the orders in eps, and how many steps inside the predicted window bring the student closer."""
    definition, dataset, starts, over_lr = summary
    low, high = starts[0].eps[0], starts[0].eps[-1]
    orders = f"orders in eps from {low:g} to {high:g}" if low < high else f"eps {low:g} alone has no order"
    heading = (
        f"{definition.name} on {dataset}: {orders}; "
        "observed/predicted and the share of positive alignments at the smallest"
    )
    inside, notes = over_lr["step"] < 1, []
    if len(inside):
        steps = counted(int(inside.sum()), "step")
        notes.append(
            f"closer to the teacher: {int((over_lr['change'][inside] < 0).sum())} of {steps} inside "
            f"the predicted window, {int((over_lr['change'][~inside] < 0).sum())} of {int((~inside).sum())} outside"
        )
    if odd := sum(start.num_not_finite for start in starts):
        notes.append(f"not finite, and not counted: {counted(odd, 'pair of steps')}")
    table = Table(HEADER, [_row(start) for start in starts])
    return Presentation([heading], [table], notes, _document(starts, over_lr), _conclusion(starts))


def _conclusion(starts: Sequence[StartSummary]) -> str:
    """Say in how many seeds the student moves towards the teacher at the smallest eps, by where it starts."""
    words = {"shared": "the teacher's initialisation", "cross": "another initialisation"}
    found, few = [], False
    for start in starts:
        if start.student_init in words:
            positive = start.values["alignment"][0] > 0
            few |= len(positive) < MIN_SEEDS
            found.append(
                f"from {words[start.student_init]} in {int(positive.sum())} of {counted(len(positive), 'seed')}"
            )
    if not found:
        return ""
    rest = f"; too few seeds for a conclusion, which needs {MIN_SEEDS}" if few else ""
    return f"One step on noise moves the student towards the teacher {', '.join(found)}{rest}."


def _row(start: StartSummary) -> list[str]:
    alignment, predicted = start.values["alignment"][0], start.values["predicted_alignment"][0]
    kept = np.isfinite(alignment) & np.isfinite(predicted)
    alignment, predicted = alignment[kept], predicted[kept]
    ratio = alignment / predicted if predicted.all() else np.full(len(predicted), math.nan)
    name = start.student_init + (f" (sd {start.perturbation:g})" if start.perturbation else "")
    return [
        name,
        str(len(ratio)),
        unless_nan(start.order("alignment"), ".3f"),
        unless_nan(start.order("remainder"), ".3f"),
        unless_nan(float(np.median(ratio)) if len(ratio) else math.nan, ".4g"),  # nan if one of them is
        f"{(alignment > 0).mean():.2f}" if len(alignment) else "",
    ]


def _document(starts: Sequence[StartSummary], over_lr: dict[str, np.ndarray]) -> dict[str, Any]:
    return {
        "starts": [
            {
                "student_init": start.student_init,
                "perturbation": start.perturbation,
                "eps": start.eps.tolist(),
                "order_of_alignment": finite(start.order("alignment")),
                "order_of_remainder": finite(start.order("remainder")),
                "values": {
                    name: [[finite(number) for number in row] for row in value.tolist()]
                    for name, value in start.values.items()
                },
            }
            for start in starts
        ],
        "student_lr": {name: [finite(one) for one in value.tolist()] for name, value in over_lr.items()},
    }
