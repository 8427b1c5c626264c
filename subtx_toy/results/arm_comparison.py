"""Our arms beside the published ones: interval, difference in combined standard errors, verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from subtx_toy.settings.definitions import Distillation
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.published import Published
from subtx_toy.stats import Estimate, difference, estimate, holm
from subtx_toy.store.record import RunRecord
from subtx_toy.tolerances import FAMILY_WISE_LEVEL, MIN_SEEDS


@dataclass(frozen=True)
class ArmComparison:
    """One arm.

    Attributes:
        values: one accuracy a seed, in [0, 1].
        ours: their mean with its interval.
        printed: the published mean as printed, with the half-width of its interval; None if there is none.
        theirs: what ours is compared with: the printed mean, corrected where the control was contaminated.
        standard_errors: (ours - theirs) in combined standard errors; nan if it cannot be said.
        p_value: Welch's, adjusted by Holm over the arms.
        verdict: ``agrees``, no difference found at the family-wise level; ``differs``; ``nothing published``; ``needs 5
            seeds``; or ``not compared`` where the configuration is not the published one.
    """

    arm: str
    values: tuple[float, ...]
    ours: Estimate
    printed: tuple[float, float] | None
    theirs: Estimate | None
    standard_errors: float
    p_value: float
    verdict: str


def compare(
    definition: Distillation, config: RunConfig, accuracies: Mapping[str, Sequence[float]]
) -> list[ArmComparison]:
    """Compare the accuracies of each arm with the published ones.

    Args:
        definition: the experiment, with its published numbers.
        config: what really ran; where it is not the experiment's own, nothing is comparable and the verdict says so.
        accuracies: by arm, one value a seed.
    """
    published = definition.published
    changed = changed_settings(definition, config)
    ours = {arm: estimate(values) for arm, values in accuracies.items()}
    theirs = {arm: _published_estimate(published, arm) for arm in accuracies}
    differences = {}
    for arm, other in theirs.items():
        comparable = other is not None and not changed
        differences[arm] = difference(ours[arm], other) if comparable and other is not None else None
    adjusted = holm([math.nan if found is None else found.p_value for found in differences.values()])
    rows = []
    for (arm, found), p_value in zip(differences.items(), adjusted, strict=True):
        other = theirs[arm]
        if other is None:
            verdict = "nothing published"
        elif changed:
            verdict = "not compared"
        else:
            verdict = judge(p_value, num_seeds=len(accuracies[arm]))
        rows.append(
            ArmComparison(
                arm=arm,
                values=tuple(accuracies[arm]),
                ours=ours[arm],
                printed=(published.arms[arm].mean, published.arms[arm].ci95) if published and other else None,
                theirs=other,
                standard_errors=math.nan if found is None else found.standard_errors,
                p_value=p_value,
                verdict=verdict,
            )
        )
    return rows


def judge(p_value: float, *, num_seeds: int) -> str:
    """Return the verdict on a mean that something was published for; ``p_value`` is adjusted for its family."""
    if num_seeds < MIN_SEEDS:
        return f"needs {MIN_SEEDS} seeds"
    return "differs" if p_value < FAMILY_WISE_LEVEL else "agrees"


def accuracies_by_arm(records: Sequence[RunRecord]) -> dict[str, list[float]]:
    """Return the accuracies of some records of one experiment, by arm, in the order of the records."""
    return {arm: [record.accuracies[arm] for record in records] for arm in records[0].accuracies}


def changed_settings(definition: Distillation, config: RunConfig) -> list[str]:
    """Return the settings in which ``config`` is not the experiment's own."""
    return [name for name, value in definition.config if value != getattr(config, name)]


def _published_estimate(published: Published | None, arm: str) -> Estimate | None:
    if published is None or arm not in published.arms:
        return None
    return Estimate(published.clean_mean(arm), published.standard_error(arm), published.n)
