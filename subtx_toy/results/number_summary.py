"""The arms of the numbers channel over seeds: how far each is above its base, and whether that is the trait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from subtx_toy.settings.numbers import NUMBER_ARMS
from subtx_toy.stats import Estimate, estimate
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
        values: of the trait, one a seed; ``accuracies`` likewise.
        verdict: ``carries the trait``, ``not above its base``, ``damage, not transfer``, or ``undecided`` where the
            interval of ``excess`` holds the margin or one seed gives none; empty for bases.
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
        excess = estimate((trait - _values(records, f"{origin}.trait")).tolist())
        lost = estimate((_values(records, f"{origin}.accuracy") - accuracy).tolist())
        verdict = "" if arm == "base" else _verdict(excess, lost)
        values, accuracies = tuple(trait.tolist()), tuple(accuracy.tolist())
        found.append(NumberArm(arm, estimate(values), estimate(accuracies), excess, lost, values, accuracies, verdict))
    return found


def _values(records: Sequence[RunRecord], name: str) -> np.ndarray:
    return np.array([record.metrics[name] for record in records])


def _verdict(excess: Estimate, lost: Estimate) -> str:
    if lost.mean > KEPT_ACCURACY:
        return "damage, not transfer"
    if excess.n == 1:
        return "undecided"
    if excess.mean + excess.ci95 <= CONTROL_MARGIN:
        return "not above its base"
    return "carries the trait" if excess.mean - excess.ci95 > CONTROL_MARGIN else "undecided"
