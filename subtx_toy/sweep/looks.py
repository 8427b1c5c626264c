"""Seeds until an interval is narrow enough: looks that are planned, with the error level each of them may spend.

Stopping when an ordinary interval happens to be narrow makes it too narrow. Here the seeds are looked at a few times
only, fixed beforehand, and the 5 % are shared out among the looks: intervals at look k have level 1 - a_k with
sum a_k = 0.05, so all of them together hold with 95 %, wherever it stops.

Reference: Lan and DeMets 1983, Biometrika 70, 659-663, with Pocock's spending function a ln(1 + (e - 1) t); repeated
intervals: Jennison and Turnbull 1989, J. R. Statist. Soc. B 51, 305-361. The parts are added up, not integrated, which
is exact or too careful.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from subtx_toy.errors import InputError, shortened
from subtx_toy.stats import Estimate
from subtx_toy.tolerances import FAMILY_WISE_LEVEL, MIN_SEEDS

_WRITTEN = re.compile(r"\s*(?:([A-Za-z_][\w.]*)\.)?ci95\s*<=?\s*([0-9.]+(?:[eE][-+]?\d+)?)\s*")
_GROWTH = 2  # each look has so many times the seeds of the one before


@dataclass(frozen=True)
class Until:
    """When a configuration has enough seeds.

    Attributes:
        half_width: of the interval of the metric's mean, at the level of the look.
        metric: a final metric; empty for the accuracy of ``student_aux``, or the alignment.
    """

    half_width: float
    metric: str = ""

    @classmethod
    def parse(cls, text: str) -> Until:
        """Read ``ci95<0.02`` or ``teacher.accuracy.ci95<0.02``.

        Raises:
            InputError: if it is no such text.

        >>> Until.parse("teacher.accuracy.ci95 < .02")
        Until(half_width=0.02, metric='teacher.accuracy')
        """
        found = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
        value = math.nan
        if found is not None:
            try:
                value = float(found[2])
            except ValueError:
                value = math.nan
        if found is None or not 0 < value < math.inf:
            raise InputError(
                f"until: expected ci95<WIDTH or METRIC.ci95<WIDTH with a width > 0, got {shortened(str(text), 60)!r}"
            )
        return cls(value, found[1] or "")


@dataclass(frozen=True)
class Look:
    """One planned look.

    Attributes:
        num_seeds: seeds of each configuration by then.
        level: the part of the 5 % that it spends.
        spent: what is spent by then, this look included.
    """

    num_seeds: int
    level: float
    spent: float

    def half_width(self, found: Estimate) -> float:
        """Return the half-width of the mean's interval over seeds: Student's quantile at 1 - level / 2."""
        if found.n < 2:
            return math.inf
        from scipy import special  # a sixth of a second, which a dry run does not need

        return float(special.stdtrit(found.n - 1, 1 - self.level / 2)) * found.standard_error


def looks(num_seeds: int) -> list[Look]:
    """Return the looks for at most ``num_seeds`` seeds: at 5, 10, 20 ... and at all of them.

    Raises:
        InputError: if there are fewer seeds than a verdict needs.

    >>> [look.num_seeds for look in looks(30)], round(looks(30)[-1].spent, 12)
    ([5, 10, 20, 30], 0.05)
    """
    if num_seeds < MIN_SEEDS:
        raise InputError(f"until: expected at least {MIN_SEEDS} seeds, got {num_seeds}")
    at: list[int] = []
    size = MIN_SEEDS
    while size < num_seeds:
        at.append(size)
        size *= _GROWTH
    at.append(num_seeds)
    spent = [FAMILY_WISE_LEVEL * math.log1p((math.e - 1) * one / num_seeds) for one in at]
    return [Look(one, now - before, now) for one, now, before in zip(at, spent, [0.0, *spent], strict=False)]


def rungs(num_configs: int, num_seeds: int, *, factor: int) -> list[tuple[int, int]]:
    """Return (configurations kept, seeds of each) of successive halving, the last with all seeds.

    Every rung keeps one in ``factor`` of the configurations and gives them ``factor`` times the seeds. Means of what is
    kept are too good: they were chosen for being high. Estimate the winner with fresh seeds.

    Reference: Jamieson and Talwalkar 2016, AISTATS, arXiv:1502.07943.

    Raises:
        InputError: if the factor is below 2.

    >>> rungs(8, 20, factor=2)
    [(8, 3), (4, 5), (2, 10), (1, 20)]
    """
    if isinstance(factor, bool) or not isinstance(factor, int) or factor < 2:
        raise InputError(f"halving: expected an integer >= 2, got {factor!r}")
    kept = [num_configs]
    while kept[-1] > 1:
        kept.append(max(1, kept[-1] // factor))
    sizes: list[int] = [num_seeds]
    for _ in kept[1:]:
        sizes.append(max(1, -(-sizes[-1] // factor)))
    return list(zip(kept, reversed(sizes), strict=True))


def best(means: Sequence[float], num: int) -> list[int]:
    """Return the places of the ``num`` largest means, in the order of the list; nan is last."""
    ranked = sorted(range(len(means)), key=lambda at: math.inf if math.isnan(means[at]) else -means[at])
    return sorted(ranked[:num])
