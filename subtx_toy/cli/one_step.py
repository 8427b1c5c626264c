"""The one-step experiment, as a table for people and as a document for programs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from subtx_toy.cli.presentation import Presentation
from subtx_toy.files.json_values import finite
from subtx_toy.results.text_table import align

if TYPE_CHECKING:
    from pathlib import Path

    from subtx_toy.results.one_step_summary import StartSummary
    from subtx_toy.settings.experiment_file import OneStep
    from subtx_toy.settings.one_step import OneStepConfig
    from subtx_toy.store.record import RunRecord


def present(definition: OneStep, base: OneStepConfig, records: list[RunRecord]) -> Presentation:
    """Show the orders in eps by where the student starts, and the distance against its step size at ``base``'s eps."""
    from subtx_toy.results.one_step_summary import by_start, over_student_lr
    from subtx_toy.settings.one_step import OneStepConfig

    first = OneStepConfig.parse(records[0].config)
    starts = by_start(records, student_lr=first.student_lr)
    over_lr = over_student_lr(records, eps=base.eps)

    def draw(target: Path) -> None:
        from subtx_toy.figures.files import save
        from subtx_toy.figures.one_step import draw_one_step

        save(draw_one_step(starts, over_lr, dataset=first.dataset_title), target)

    rows = [_row(start) for start in starts]
    header = ["student starts at", "n", "order of alignment", "order of remainder", "observed/predicted", "positive"]
    least, most = starts[0].eps[0], starts[0].eps[-1]
    orders = f"orders in eps from {least:g} to {most:g}" if least < most else f"eps {least:g} alone has no order"
    lines = [
        f"{definition.name} on {first.dataset_title}: {orders}; "
        "observed/predicted and the share of positive alignments at the smallest",
        align(header, rows),
    ]
    inside = over_lr["step"] < 1
    if len(inside):
        lines.append(
            f"closer to the teacher: {int((over_lr['change'][inside] < 0).sum())} of {int(inside.sum())} steps inside "
            f"the predicted window, {int((over_lr['change'][~inside] < 0).sum())} of {int((~inside).sum())} outside"
        )
    return Presentation("\n".join(lines), _document(starts, over_lr), draw)


def _row(start: StartSummary) -> list[str]:
    alignment, predicted = start.values["alignment"][0], start.values["predicted_alignment"][0]
    ratio = alignment / predicted if predicted.all() else np.full(len(predicted), math.nan)
    name = start.student_init + (f" (sd {start.perturbation:g})" if start.perturbation else "")
    return [
        name,
        str(len(ratio)),
        _order(start, "alignment"),
        _order(start, "remainder"),
        "" if np.isnan(ratio).any() else f"{np.median(ratio):.4g}",
        f"{(alignment > 0).mean():.2f}",
    ]


def _order(start: StartSummary, name: str) -> str:
    order = start.order(name)
    return f"{order:.3f}" if math.isfinite(order) else ""


def _document(starts: list[StartSummary], over_lr: dict[str, np.ndarray]) -> dict[str, Any]:
    return {
        "starts": [
            {
                "student_init": start.student_init,
                "perturbation": start.perturbation,
                "eps": start.eps.tolist(),
                "order_of_alignment": finite(start.order("alignment")),
                "order_of_remainder": finite(start.order("remainder")),
                "values": {
                    name: [[finite(one) for one in row] for row in value.tolist()]
                    for name, value in start.values.items()
                },
            }
            for start in starts
        ],
        "student_lr": {name: value.tolist() for name, value in over_lr.items()},
    }
