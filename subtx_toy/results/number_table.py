"""The arms of the numbers channel, as a table and as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from subtx_toy.results.number_summary import NumberArm, summarise_arms
from subtx_toy.results.presentation import Presentation, Table, half_width, mean_document
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
    trait, accuracy = _mean_cells(row.trait, ".3f"), _mean_cells(row.accuracy, ".3f")
    excess = _mean_cells(row.excess, "+.3f") if row.verdict else ["", ""]
    return [row.arm, *trait, *excess, *accuracy, str(row.trait.n), row.verdict]


def _mean_cells(value: Estimate, digits: str) -> list[str]:
    return [f"{value.mean:{digits}}", half_width(value, ".3f")]


def _document(row: NumberArm) -> dict[str, Any]:
    return {
        **mean_document(row.trait),
        "values": list(row.values),
        "above_base": mean_document(row.excess),
        "accuracy": mean_document(row.accuracy) | {"values": list(row.accuracies)},
        "accuracy_lost": mean_document(row.lost),
        "published": None,
        "verdict": row.verdict,
    }
