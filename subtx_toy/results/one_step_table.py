"""The one-step experiment, as a table and as a document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from subtx_toy.files.content_key import finite
from subtx_toy.results.one_step_summary import StartSummary, by_start, over_student_lr
from subtx_toy.results.presentation import Presentation, Table
from subtx_toy.results.text_table import unless_nan
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.store.record import RunRecord

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
        notes.append(
            f"closer to the teacher: {int((over_lr['change'][inside] < 0).sum())} of {int(inside.sum())} steps inside "
            f"the predicted window, {int((over_lr['change'][~inside] < 0).sum())} of {int((~inside).sum())} outside"
        )
    table = Table(HEADER, [_row(start) for start in starts])
    return Presentation([heading], [table], notes, _document(starts, over_lr))


def _row(start: StartSummary) -> list[str]:
    alignment, predicted = start.values["alignment"][0], start.values["predicted_alignment"][0]
    ratio = alignment / predicted if predicted.all() else np.full(len(predicted), math.nan)
    name = start.student_init + (f" (sd {start.perturbation:g})" if start.perturbation else "")
    return [
        name,
        str(len(ratio)),
        unless_nan(start.order("alignment"), ".3f"),
        unless_nan(start.order("remainder"), ".3f"),
        unless_nan(float(np.median(ratio)), ".4g"),  # nan if one of them is
        f"{(alignment > 0).mean():.2f}",
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
        "student_lr": {name: value.tolist() for name, value in over_lr.items()},
    }
