"""The arms of the numbers channel over seeds: how far each is above its base, as a table and as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from subtx_toy.files.content_key import finite
from subtx_toy.results.presentation import Presentation, Table, diverged_notes, half_width, mean_document, unless_nan
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.numbers import NUMBER_ARMS, NumbersConfig
from subtx_toy.stats import Estimate, finite_estimate
from subtx_toy.store.record import RunRecord

CONTROL_MARGIN = 0.05
"""A control may lie so far above its base and count as no transfer; fixed before any run."""

KEPT_ACCURACY = 0.1
"""A student that has lost more of its base's accuracy on the other classes than this is damaged."""


@dataclass(frozen=True)
class NumberArm:
    """One arm over seeds.

    Attributes:
        arm: one of NUMBER_ARMS.
        trait: share of held-out unwanted examples on which it does what was taught, in [0, 1].
        accuracy: on the classes the trait is not about, in [0, 1].
        excess: the trait minus that of the arm's own base with the same seed.
        lost: the accuracy of that base minus the arm's.
        values: of the trait, one a seed, nan where a net diverged; ``accuracies`` likewise.
        verdict: ``carries the trait``, ``not above its base``, ``damage, not transfer``, ``diverged`` if every seed
            did, or ``undecided`` where the interval of ``excess`` holds the margin or one seed gives none.
    """

    arm: str
    trait: Estimate
    accuracy: Estimate
    excess: Estimate
    lost: Estimate
    values: tuple[float, ...]
    accuracies: tuple[float, ...]
    verdict: str


def summarise_arms(records: Sequence[RunRecord]) -> list[NumberArm]:
    """Summarise the records of one configuration by arm."""
    found = []
    for arm in NUMBER_ARMS:
        origin = "other_base" if arm == "other_base_trait" else "base"
        trait, accuracy = _values(records, f"{arm}.trait"), _values(records, f"{arm}.accuracy")
        excess = finite_estimate((trait - _values(records, f"{origin}.trait")).tolist())
        lost = finite_estimate((_values(records, f"{origin}.accuracy") - accuracy).tolist())
        verdict = "" if arm == "base" else _verdict(excess, lost)
        values, accuracies = tuple(trait.tolist()), tuple(accuracy.tolist())
        found.append(
            NumberArm(
                arm, finite_estimate(values), finite_estimate(accuracies), excess, lost, values, accuracies, verdict
            )
        )
    return found


def _values(records: Sequence[RunRecord], name: str) -> np.ndarray:
    return np.array([record.settled[name] for record in records])


def _verdict(excess: Estimate, lost: Estimate) -> str:
    if not excess.n:
        return "diverged"
    if lost.mean > KEPT_ACCURACY:
        return "damage, not transfer"
    if excess.n == 1:
        return "undecided"
    if excess.mean + excess.ci95 <= CONTROL_MARGIN:
        return "not above its base"
    return "carries the trait" if excess.mean - excess.ci95 > CONTROL_MARGIN else "undecided"


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
    return Presentation(
        [heading], tables, [f"{cpu:.0f} s of CPU a seed and kind of prompts", *diverged_notes(records)], document
    )


def _row(row: NumberArm) -> list[str]:
    trait, accuracy = _mean_cells(row.trait, ".3f"), _mean_cells(row.accuracy, ".3f")
    excess = _mean_cells(row.excess, "+.3f") if row.verdict else ["", ""]
    return [row.arm, *trait, *excess, *accuracy, str(row.trait.n), row.verdict]


def _mean_cells(value: Estimate, digits: str) -> list[str]:
    return [unless_nan(value.mean, digits), half_width(value, ".3f")]


def _document(row: NumberArm) -> dict[str, Any]:
    return {
        **mean_document(row.trait),
        "values": [finite(value) for value in row.values],
        "above_base": mean_document(row.excess),
        "accuracy": mean_document(row.accuracy) | {"values": [finite(value) for value in row.accuracies]},
        "accuracy_lost": mean_document(row.lost),
        "published": None,
        "verdict": row.verdict,
    }
