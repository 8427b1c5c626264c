"""The arms of the numbers channel, as a table for people and as a document for programs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from subtx_toy.cli.presentation import Presentation
from subtx_toy.files.json_values import finite
from subtx_toy.results.text_table import align

if TYPE_CHECKING:
    from pathlib import Path

    from subtx_toy.results.number_summary import NumberArm
    from subtx_toy.settings.experiment_file import Numbers
    from subtx_toy.stats import Estimate
    from subtx_toy.store.record import RunRecord


def present(definition: Numbers, records: list[RunRecord]) -> Presentation:
    """Show the arms for every kind of prompts; the first kind's are the document's ``arms``."""
    from subtx_toy.results.number_summary import summarise_arms
    from subtx_toy.settings.numbers import NumbersConfig

    kinds: dict[str, list[RunRecord]] = {}
    for record in records:
        kinds.setdefault(record.config["prompts"], []).append(record)
    config = NumbersConfig.parse(records[0].config)
    arms = {prompts: summarise_arms(found) for prompts, found in kinds.items()}

    def draw(target: Path) -> None:
        from subtx_toy.figures.files import save
        from subtx_toy.figures.numbers import draw_number_arms

        save(draw_number_arms(arms, trait=config.trait, dataset=config.dataset), target)

    lines = [
        f"{definition.name} on {config.dataset}: trait {config.trait}, {config.num_prompts} numbers a student; means "
        "over seeds with 95 % t-intervals; above base: differences within a seed"
    ]
    for prompts, rows in arms.items():
        header = [
            f"prompts: {prompts}",
            "trait",
            "95 % CI",
            "above base",
            "95 % CI",
            "accuracy",
            "95 % CI",
            "n",
            "verdict",
        ]
        lines.append(align(header, [_row(row) for row in rows]))
    cpu = sum(record.cpu_seconds for record in records) / len(records)
    lines.append(f"{cpu:.0f} s of CPU a seed and kind of prompts")
    document = {
        "config": config.model_dump(),
        "arms": {row.arm: _document(row) for row in next(iter(arms.values()))},
        "prompts": {prompts: {row.arm: _document(row) for row in rows} for prompts, rows in arms.items()},
    }
    return Presentation("\n".join(lines), document, draw)


def _row(row: NumberArm) -> list[str]:
    excess = ["", ""] if not row.verdict else [f"{row.excess.mean:+.3f}", _half(row.excess)]
    accuracy = [f"{row.accuracy.mean:.3f}", _half(row.accuracy)]
    return [row.arm, f"{row.trait.mean:.3f}", _half(row.trait), *excess, *accuracy, str(row.trait.n), row.verdict]


def _half(value: Estimate) -> str:
    return "" if math.isnan(value.ci95) else f"±{value.ci95:.3f}"


def _document(row: NumberArm) -> dict[str, Any]:
    """Return what ``--json`` says of one arm: of the trait, and of the accuracy beside it."""
    return {
        **_estimate(row.trait),
        "values": list(row.values),
        "above_base": _estimate(row.excess),
        "accuracy": _estimate(row.accuracy) | {"values": list(row.accuracies)},
        "accuracy_lost": _estimate(row.lost),
        "published": None,
        "verdict": row.verdict,
    }


def _estimate(value: Estimate) -> dict[str, Any]:
    return {"mean": value.mean, "ci95": finite(value.ci95), "n": value.n}
