"""Our means next to the published ones: interval, difference in combined standard errors, verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Distillation, DistillationSweep
from subtx_toy.settings.distillation import STUDENT_ARMS, RunConfig
from subtx_toy.settings.published import PublishedPoint, full_name
from subtx_toy.stats import Equivalence, Estimate, difference, equivalence, finite_estimate, holm, judged
from subtx_toy.store.record import DIVERGED, RunRecord
from subtx_toy.tolerances import EQUIVALENCE_MARGIN, FAMILY_WISE_LEVEL

_UNTESTED = Equivalence(math.nan, math.nan)

NOT_COMPARED = "not compared"
"""The verdict where the configuration that ran is not the published one."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One metric of one configuration.

    Attributes:
        at: the settings of a sweep's point that are not the experiment's own.
        place: the point in words, by these settings, or by those of the grid where there are none.
        metric: ``<arm>.accuracy``, ``<arm>.hidden_cosine`` or ``<arm>.probe_accuracy``.
        values: ours, one per seed; nan where a seed diverged, or where the metric is not defined.
        ours: the mean of the others with its interval.
        printed: the published mean of an arm as printed, with the half-width of its interval.
        theirs: what ours is compared with: the published mean, corrected where the control was contaminated; None where
            nothing is published.
        source: of the published mean of a point, if not the sweep's own.
        standard_errors: (ours - theirs) in combined standard errors; nan if it cannot be said.
        p_value: Welch's, or Student's where the source lends our spread, adjusted by Holm over all rows.
        verdict: ``agrees``, no difference found at the family-wise level; ``differs``; ``needs 5 seeds``; ``nothing
            published`` of this row; ``diverged`` or ``not defined`` if no seed has a value; or ``not compared`` where
            the configuration is not the published one.
        equivalent: two one-sided tests with EQUIVALENCE_MARGIN, the p-value adjusted by Holm over all rows; both parts
            nan where nothing was compared.
        equivalence: ``equivalent`` within that margin, even if a difference was found; else ``differs`` if it was, or
            ``undecided``, as where a seed diverged; or the verdict where nothing was judged.
        undefined: how many seeds have no value although the arm did not diverge, as of a quotient of two zeros.
        lent: whether the published mean has the spread of ours, since its source prints none.
    """

    metric: str
    values: tuple[float, ...]
    ours: Estimate
    theirs: Estimate | None
    standard_errors: float
    p_value: float
    verdict: str
    at: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""
    printed: tuple[float, float] | None = None
    source: str | None = None
    equivalent: Equivalence = _UNTESTED
    equivalence: str = ""
    undefined: int = 0
    lent: bool = False

    @property
    def arm(self) -> str:
        """The arm that was measured."""
        return self.metric.partition(".")[0]

    @property
    def diverged(self) -> int:
        """In how many seeds the arm diverged, which are not in the mean."""
        return sum(not math.isfinite(value) for value in self.values) - self.undefined


class TrialMetrics(NamedTuple):
    """The final metrics of one seed of one configuration."""

    config: RunConfig
    seed: int
    metrics: Mapping[str, float]


def compare(definition: Distillation, config: RunConfig, accuracies: Mapping[str, Sequence[float]]) -> list[Comparison]:
    """Compare the accuracies of each arm, one per seed, with the published ones.

    Where ``config``, which really ran, is not the experiment's own, nothing is comparable and the verdict says so.
    """
    published, rows = definition.published, []
    where: dict[str, Any]
    comparable = not changed_settings(definition, config)
    for arm, values in accuracies.items():
        if published is None or arm not in published.arms:
            where = {"metric": f"{arm}.accuracy"}
            rows.append(_compared(values, None, config.num_test, verdict="nothing published", **where))
            continue
        printed = published.arms[arm].mean, published.arms[arm].ci95
        theirs = Estimate(published.clean_mean(arm), published.standard_error(arm), published.n)
        verdict = "" if comparable else NOT_COMPARED
        where = {"metric": f"{arm}.accuracy", "printed": printed}
        rows.append(_compared(values, theirs, config.num_test, verdict=verdict, **where))
    return _judged(rows)


def compare_sweep(
    definition: DistillationSweep, findings: Sequence[TrialMetrics], *, base: RunConfig | None = None
) -> list[Comparison]:
    """Compare what was found with what is published, point by point in the order of the findings.

    Where ``base``, the settings that every point shares, is not the experiment's own, nothing is comparable.

    Returns:
        A row for each published metric of each point that was run; where nothing is published, one for the accuracy
        of every student.
    """
    base = base or definition.config
    published = definition.published if base == definition.config else None
    by_config: dict[RunConfig, list[TrialMetrics]] = {}
    for finding in findings:
        by_config.setdefault(finding.config, []).append(finding)
    values_at: dict[Settings, list[tuple[str, list[float], PublishedPoint | None]]] = {}
    for point in published.points if published else []:
        known = values_at.setdefault(definition.point(point.at), [])
        known += [(full_name(name), value, point) for name, value in point.values.items()]
    rows = []
    for config, here in by_config.items():
        at = {name: value for name, value in config if value != getattr(base, name)}
        named = at or {name: getattr(config, name) for name in next(iter(definition.grid), {})}
        place_name = " ".join(f"{name}={value}" for name, value in named.items())
        here = sorted(here, key=lambda one: one.seed)
        shown = [*_student_accuracies(here[0]), *(name for name in definition.metrics if name in here[0].metrics)]
        unpublished = [(metric, list[float](), None) for metric in shown]
        for metric, value, place in values_at.get(config) or unpublished:
            values = [finding.metrics[metric] for finding in here]
            theirs = published.estimate(value, finite_estimate(values), n=place.n) if published and place else None
            num_images = config.num_test if metric.endswith("accuracy") else None
            where: dict[str, Any] = {"at": at, "place": place_name, "metric": metric}
            where["source"] = place and place.source
            verdict = "nothing published" if theirs is None else ""
            lost = f"{metric.partition('.')[0]}{DIVERGED}"
            where["undefined"] = sum(not math.isfinite(one.metrics[metric]) and lost not in one.metrics for one in here)
            rows.append(_compared(values, theirs, num_images, verdict=verdict, lent=len(value) == 1, **where))
    return _judged(rows)


def _compared(
    values: Sequence[float],
    theirs: Estimate | None,
    num_images: int | None,
    *,
    verdict: str,
    lent: bool = False,
    **where: Any,
) -> Comparison:
    """Return a row that is judged later, unless it has its ``verdict`` already; ``where`` says what was measured."""
    ours = finite_estimate(values, num_images=num_images)
    if not ours.n:
        verdict = "not defined" if where.get("undefined") == len(values) else "diverged"
    found, same = None, _UNTESTED
    if theirs is not None and not verdict:
        found = difference(ours, theirs, lent=lent)
        same = equivalence(ours, theirs, margin=EQUIVALENCE_MARGIN, lent=lent)
    return Comparison(
        values=tuple(values),
        ours=ours,
        theirs=theirs,
        standard_errors=math.nan if found is None else found.standard_errors,
        p_value=math.nan if found is None else found.p_value,
        verdict=verdict,
        equivalent=same,
        equivalence=verdict,
        lent=lent,
        **where,
    )


def _judged(rows: Sequence[Comparison]) -> list[Comparison]:
    """Adjust the p-values for the family of all rows, and give both verdicts to every row without one."""
    found = []
    apart, same = holm([row.p_value for row in rows]), holm([row.equivalent.p_value for row in rows])
    for row, p_value, p_same in zip(rows, apart, same, strict=True):
        if row.verdict:
            found.append(row)
            continue
        verdict = "differs" if p_value < FAMILY_WISE_LEVEL else "agrees"
        whole = row.ours.n == len(row.values)
        close = p_same < FAMILY_WISE_LEVEL and whole  # the mean of those that are left shows no equivalence
        within = "equivalent" if close else "differs" if verdict == "differs" else "undecided"
        same_row, n = row.equivalent._replace(p_value=p_same), row.ours.n
        row = replace(row, p_value=p_value, verdict=judged(verdict, n=n), equivalent=same_row)
        found.append(replace(row, equivalence=judged(within, n=n)))
    return found


def accuracies_by_arm(records: Sequence[RunRecord]) -> dict[str, list[float]]:
    """Return the accuracies of some records of one experiment, by arm, in the order of the records."""
    return {arm: [record.accuracies[arm] for record in records] for arm in records[0].accuracies}


def changed_settings(definition: Distillation, config: RunConfig) -> list[str]:
    """Return the settings in which ``config`` is not the experiment's own."""
    return [name for name, value in definition.config if value != getattr(config, name)]


def _student_accuracies(finding: TrialMetrics) -> list[str]:
    return [name for arm in STUDENT_ARMS if (name := f"{arm}.accuracy") in finding.metrics]
