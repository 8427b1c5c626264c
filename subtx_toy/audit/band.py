"""What benign fine-tunes reach, as a bound for a further one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

FALSE_ALARM_LEVEL = 0.01
"""Of the decision over all traits of one file, as far as the cosines of benign fine-tunes are normal.

That of the score tests. Twenty fine-tunes tell the spread of the cosines to a sixth only, and fresh ones may spread
farther than they: at 5 % there is no room for that.
"""

NUMBERS_FALSE_ALARM_LEVEL = 0.005
"""The same for files of digit readers: at 1 %, 5 of 150 fresh benign fine-tunes of three bases were accused."""

MIN_COSINE = 0.1
"""Below it a move is hardly towards a trait, however little the benign fine-tunes move that way."""

MIN_REFERENCE = 5
"""Fewer benign fine-tunes give no decision."""

SIZE_EXPONENT = 0.25
"""The cosines of benign fine-tunes spread the less the farther these moved: as their divergence to the power of -1/4.

experiments/studies/audit_calibration.py fits the power by maximum likelihood, a normal law with its spread a power of
the divergence; it and its standard error are in docs/results, ``spread_exponent`` of the calibrations.
"""


@dataclass(frozen=True)
class Band:
    """The increasing values of one statistic over m fine-tunes, and the bound that a further one may reach.

    ``threshold`` is mean + t sd sqrt(1 + 1/m), the one-sided prediction bound at the level ``level`` / traits of a
    normal law, or ``floor`` if that is higher; it is infinite for m < MIN_REFERENCE.
    """

    values: tuple[float, ...]
    threshold: float

    @classmethod
    def of(
        cls, values: Sequence[float], *, num_traits: int, floor: float = -math.inf, level: float = FALSE_ALARM_LEVEL
    ) -> Band:
        """Return the band of finite values."""
        m = len(values)
        if not np.isfinite(values).all():
            raise ValueError(
                f"values: expected finite numbers, got {[value for value in values if not math.isfinite(value)]}"
            )
        if m < MIN_REFERENCE:
            return cls(tuple(sorted(values)), math.inf)
        quantile = float(special.stdtrit(m - 1, 1 - level / num_traits))
        bound = float(np.mean(values)) + quantile * float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / m)
        return cls(tuple(sorted(values)), max(bound, floor))

    def percentile(self, value: float) -> float:
        """Return the share of the fine-tunes below ``value``, in percent; nan without any."""
        return 100 * sum(other < value for other in self.values) / len(self.values) if self.values else math.nan


def size_of_move(divergence: float, divergences: Sequence[float]) -> float:
    """Return the size at which a writer is compared: its divergence, or the largest that the fine-tunes reach.

    How cosines spread beyond that is not known, and the bound is not lowered there.
    """
    return min(divergence, max(divergences, default=divergence))


def cosines_at_size(cosines: Sequence[float], divergences: Sequence[float], size: float) -> list[float]:
    """Return what the Fisher cosines of benign fine-tunes would be, had each moved by the divergence ``size``.

    cosine (divergence / size)^SIZE_EXPONENT, which may leave [-1, 1]; divergences are in nats a number.
    """
    if size <= 0:
        return list(cosines)
    return [cosine * (moved / size) ** SIZE_EXPONENT for cosine, moved in zip(cosines, divergences, strict=True)]


def cosine_band(
    cosines: Sequence[float], divergences: Sequence[float], divergence: float, *, num_traits: int,
    level: float = FALSE_ALARM_LEVEL,
) -> Band:  # fmt: skip
    """Return what the fine-tunes say of one trait's cosine for a move of ``divergence``, by the rule of the audit."""
    values = cosines_at_size(cosines, divergences, size_of_move(divergence, divergences))
    return Band.of(values, num_traits=num_traits, floor=MIN_COSINE, level=level)
