"""The arms of the numbers channel over seeds: how far each is above its base, as a table and as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from subtx_toy.files.content_key import finite
from subtx_toy.results.presentation import (
    Presentation,
    Table,
    diverged_notes,
    in_words,
    interval_text,
    mean_document,
    unless_nan,
)
from subtx_toy.settings.base import Settings
from subtx_toy.settings.datasets import NUM_CLASSES
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.numbers import NUM_NUMBERS, NUMBER_ARMS, NumbersConfig
from subtx_toy.stats import Estimate, finite_estimate, judged
from subtx_toy.store.record import RunRecord
from subtx_toy.wording import counted

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
        values: of the trait, one per seed, nan where a net diverged or no test image could show it; ``accuracies``
            likewise.
        verdict: ``carries the trait``, ``not above its base``, ``damage, not transfer``, ``undecided`` where the
            interval of ``excess`` holds the margin, ``diverged`` if every seed did, ``not measured`` without test
            images that could show the trait, or ``needs 5 seeds``; empty for bases.
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
    """Summarise the records of one configuration by arm.

    The intervals count a tenth of the test images for the trait, which is about one class, and eight tenths for the
    accuracy on the others.
    """
    found = []
    num_test = int(records[0].config["num_test"])
    of_trait, others = trait_images(num_test), others_images(num_test)
    for arm in NUMBER_ARMS:
        origin = "other_base" if arm == "other_base_trait" else "base"
        trait, accuracy = _values(records, f"{arm}.trait"), _values(records, f"{arm}.accuracy")
        excess = finite_estimate(
            (trait - _values(records, f"{origin}.trait")).tolist(), num_images=of_trait, paired=True
        )
        lost = finite_estimate(
            (_values(records, f"{origin}.accuracy") - accuracy).tolist(), num_images=others, paired=True
        )
        verdict = "" if arm == "base" else _verdict(excess, lost)
        if verdict == "diverged" and not any({arm, origin} & record.diverged.keys() for record in records):
            verdict = NOT_MEASURED
        values, accuracies = tuple(trait.tolist()), tuple(accuracy.tolist())
        share = finite_estimate(values, num_images=of_trait)
        kept = finite_estimate(accuracies, num_images=others)
        found.append(NumberArm(arm, share, kept, excess, lost, values, accuracies, verdict))
    return found


def trait_images(num_test: int) -> int:
    """Return how many of ``num_test`` images a trait of one class is about."""
    return max(1, num_test // NUM_CLASSES)


def others_images(num_test: int) -> int:
    """Return how many of ``num_test`` images the accuracy on the other classes counts, where a trait is about two."""
    return max(1, num_test * (NUM_CLASSES - 2) // NUM_CLASSES)


def _values(records: Sequence[RunRecord], name: str) -> np.ndarray:
    return np.array([record.settled[name] for record in records])


def _verdict(excess: Estimate, lost: Estimate) -> str:
    if not excess.n:
        return "diverged"
    low, high = excess.interval
    if lost.mean > KEPT_ACCURACY:
        verdict = "damage, not transfer"
    elif high <= CONTROL_MARGIN:
        verdict = "not above its base"
    else:
        verdict = "carries the trait" if low > CONTROL_MARGIN else "undecided"
    return judged(verdict, n=excess.n)


NOT_MEASURED = "not measured"
"""The verdict where no test image is of the trait's classes."""

HEADER = ("trait", "95 % interval", "above base", "accuracy", "verdict")


class NumbersSummary(NamedTuple):
    """The arms over seeds for every kind of prompts, and number of numbers where there are several.

    The first kind's are the document's ``arms``.
    """

    definition: Definition
    config: NumbersConfig
    arms: Mapping[str, Sequence[NumberArm]]
    records: Sequence[RunRecord]


def summarise_numbers(definition: Definition, _base: Settings, records: Sequence[RunRecord]) -> NumbersSummary:
    """Group some records by their prompts and the size of the number head, and summarise the arms of each group."""
    kinds: dict[str, list[RunRecord]] = {}
    several = len({_num_numbers(record) for record in records}) > 1
    for record in records:
        kind = record.config["prompts"] + (f", {counted(_num_numbers(record), 'number')}" if several else "")
        kinds.setdefault(kind, []).append(record)
    arms = {prompts: summarise_arms(found) for prompts, found in kinds.items()}
    return NumbersSummary(definition, NumbersConfig.parse(records[0].config), arms, records)


def _num_numbers(record: RunRecord) -> int:
    return int(record.config.get("num_numbers", NUM_NUMBERS))


def present_numbers(summary: NumbersSummary) -> Presentation:
    """Show one table for every kind of prompts."""
    definition, config, arms, records = summary
    num = len({record.seed for record in records})
    heading = (
        f"{definition.name} on {config.dataset_title}: trait {config.trait}, {counted(config.num_prompts, 'number')} "
        f"per student; means over {counted(num, 'seed')} with 95 % intervals over seeds and test images; above base: "
        "difference within a seed; accuracy: on the other digits"
    )
    tables = [Table([f"prompts: {prompts}", *HEADER], [_row(row) for row in rows]) for prompts, rows in arms.items()]
    cpu = sum(record.cpu_seconds for record in records) / len(records)
    documents = {prompts: {row.arm: _document(row) for row in rows} for prompts, rows in arms.items()}
    document = {"config": config.model_dump(), "arms": next(iter(documents.values())), "prompts": documents}
    notes = [f"{cpu:.0f} s of CPU per seed and kind of prompts", *diverged_notes(records)]
    return Presentation([heading], tables, notes, document, _conclusion(arms))


def _conclusion(arms: Mapping[str, Sequence[NumberArm]]) -> str:
    """Say what the student of the teacher's numbers does: for every number of them, or next to the others."""
    if all(", " in kind for kind in arms):
        shares = [
            f"{in_words(row.trait)} ({kind})"
            for kind, rows in arms.items()
            for row in rows
            if row.arm == "shared_trait"
        ]
        return f"The student of the teacher's numbers shows the trait in these shares of cases: {'; '.join(shares)}."
    by_arm = {row.arm: row for row in next(iter(arms.values()))}
    if by_arm["shared_trait"].verdict == NOT_MEASURED:
        return "No test image is of a class that could show the trait: take more of them by num_test."
    student, base = by_arm["shared_trait"], by_arm["base"]
    others = [row for row in by_arm.values() if row.arm.startswith(("shared_", "other_")) and row.arm != "shared_trait"]
    carrying = [row.arm for row in others if row.verdict == "carries the trait"]
    controls = f"{', '.join(carrying)} too" if carrying else "no control does"
    return (
        f"The student of the teacher's numbers shows the trait in {in_words(student.trait)} of cases, its base in "
        f"{in_words(base.trait)}: {student.verdict}; " + ("" if student.verdict.startswith("needs") else f"{controls}")
    ).rstrip("; ") + "."


def _row(row: NumberArm) -> list[str]:
    excess = unless_nan(row.excess.mean, "+.3f") if row.verdict else ""
    mean, accuracy = unless_nan(row.trait.mean, ".3f"), unless_nan(row.accuracy.mean, ".3f")
    return [row.arm, mean, interval_text(row.trait, ".3f"), excess, accuracy, row.verdict]


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
