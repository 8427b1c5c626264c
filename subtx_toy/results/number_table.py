"""The arms of the numbers channel, as a table and as a document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from subtx_toy.files.content_key import finite
from subtx_toy.results.number_summary import NumberArm, summarise_arms
from subtx_toy.results.presentation import Presentation, Table
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.stats import Estimate
from subtx_toy.store.record import RunRecord

HEADER = ("trait", "95 % CI", "above base", "95 % CI", "accuracy", "95 % CI", "n", "verdict")


class NumbersSummary(NamedTuple):
    """The arms over seeds for every kind of prompts; the first kind's are the document's ``arms``."""

    definition: Definition
    config: NumbersConfig
    arms: Mapping[str, Sequence[NumberArm]]
    records: Sequence[RunRecord]


def summarise_numbers(definition: Definition, _base: Settings, records: Sequence[RunRecord]) -> NumbersSummary:
    """Group some records by their prompts, and summarise the arms of each group."""
    kinds: dict[str, list[RunRecord]] = {}
    for record in records:
        kinds.setdefault(record.config["prompts"], []).append(record)
    arms = {prompts: summarise_arms(found) for prompts, found in kinds.items()}
    return NumbersSummary(definition, NumbersConfig.parse(records[0].config), arms, records)


def present_numbers(summary: NumbersSummary) -> Presentation:
    """Show one table for every kind of prompts."""
    definition, config, arms, records = summary
    heading = (
        f"{definition.name} on {config.dataset_title}: trait {config.trait}, {config.num_prompts} numbers a student; "
        "means over seeds with 95 % t-intervals; above base: differences within a seed"
    )
    tables = [Table([f"prompts: {prompts}", *HEADER], [_row(row) for row in rows]) for prompts, rows in arms.items()]
    cpu = sum(record.cpu_seconds for record in records) / len(records)
    documents = {prompts: {row.arm: _document(row) for row in rows} for prompts, rows in arms.items()}
    document = {"config": config.model_dump(), "arms": next(iter(documents.values())), "prompts": documents}
    return Presentation([heading], tables, [f"{cpu:.0f} s of CPU a seed and kind of prompts"], document)


def _row(row: NumberArm) -> list[str]:
    excess = ["", ""] if not row.verdict else [f"{row.excess.mean:+.3f}", _half(row.excess)]
    accuracy = [f"{row.accuracy.mean:.3f}", _half(row.accuracy)]
    return [row.arm, f"{row.trait.mean:.3f}", _half(row.trait), *excess, *accuracy, str(row.trait.n), row.verdict]


def _half(value: Estimate) -> str:
    return "" if math.isnan(value.ci95) else f"±{value.ci95:.3f}"


def _document(row: NumberArm) -> dict[str, Any]:
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
