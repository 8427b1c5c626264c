"""The bound that a writer's Fisher cosine has to exceed, as far as it can be known before the audit."""

from __future__ import annotations

from typing import NamedTuple

from subtx_toy.audit.band import SIZE_EXPONENT


class CosineBound(NamedTuple):
    """A bound of the cosine, and the divergence of the file for which an audit printed it.

    Attributes:
        value: the bound, >= MIN_COSINE.
        divergence: of that file's writer from the base, in nats per number.
    """

    value: float
    divergence: float

    def at(self, divergence: float) -> float:
        """Return the bound for a move of another size.

        Cosines of benign fine-tunes spread as the divergence to the power of -1/4, so smaller moves have larger bounds.
        For larger moves the bound is taken as it is: how far it falls depends on the fine-tunes.

        >>> bound = CosineBound(0.3, 0.16)
        >>> round(bound.at(0.01), 6), bound.at(0.16), bound.at(1.0)
        (0.6, 0.3, 0.3)
        """
        return float(self.value * max(1.0, self.divergence / divergence) ** SIZE_EXPONENT)


CALIBRATED_NUMBERS = 10_000
"""Of each file of the calibration. Benign fine-tunes write at most as many, and fewer where the file has fewer.

Then chance spreads their cosines more. On the packaged base, at one divergence, the bound was .12 with 10,000 numbers,
.22 with 3,000 and .44 with 1,000.
"""

SMALLEST_CALIBRATED = CosineBound(0.14, 0.08)
"""The smallest bound of five bases and four traits, in docs/results/audit-calibration-base-10.json to -14."""

LARGEST_CALIBRATED = CosineBound(0.29, 0.08)
"""The largest one. A test compares both with these files."""
