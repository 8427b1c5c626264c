"""How many numbers an audit needs, and what effect so many would have shown: planned before anybody looks.

An effect e is the mean efficient score along a trait over the standard deviation of one. A writer that moved so far
that a number's law has divergence KL (nats) from the base's, at Fisher cosine c with the trait, has e = c sqrt(2 KL) to
leading order (THEORY C19). The score test with n numbers finds it with probability Phi(e sqrt(n) - z(1 - a / k)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from subtx_toy.wording import be, counted

SCORE_LEVEL = 0.01
"""Of the score tests of one file together, and of the tests for a move."""


@dataclass(frozen=True)
class PowerPlan:
    """A plan of an audit.

    Attributes:
        level: of the score tests of one file together.
        num_traits: how many traits are tested, which share the level.
        power: probability with which the effect is found.
        cosine: Fisher cosine of the writer's move with the trait.
        divergence: KL of the writer's law of a number from the base's, in nats; None if it is not known.
        num: numbers in the file; None if it is not known.
    """

    level: float = SCORE_LEVEL
    num_traits: int = 1
    power: float = 0.9
    cosine: float = 0.5
    divergence: float | None = None
    num: int | None = None

    @property
    def effect(self) -> float | None:
        """The effect of a writer that moved as far as ``divergence`` says."""
        return None if self.divergence is None else self.cosine * math.sqrt(2 * self.divergence)

    @property
    def lines_needed(self) -> int | None:
        """Numbers with which the effect is found with the power; None without a divergence."""
        if self.effect is None:
            return None
        z = special.ndtri(1 - self.level / self.num_traits) + special.ndtri(self.power)
        return max(1, math.ceil((z / self.effect) ** 2))

    @property
    def effect_at_n(self) -> float | None:
        """The effect that ``num`` numbers would have shown with the power; None without a number."""
        if self.num is None:
            return None
        return detectable_effect(self.num, level=self.level / self.num_traits, power=self.power)

    @property
    def divergence_at_n(self) -> float | None:
        """The divergence of a writer with that effect, at the cosine."""
        return None if self.effect_at_n is None else (self.effect_at_n / self.cosine) ** 2 / 2

    @property
    def power_at_n(self) -> float | None:
        """The probability that ``num`` numbers show the effect; None where either is not known."""
        if self.num is None or self.effect is None:
            return None
        z = special.ndtri(1 - self.level / self.num_traits)
        return float(special.ndtr(self.effect * math.sqrt(self.num) - z))

    @property
    def is_null_worth_telling(self) -> bool | None:
        """Whether finding nothing in ``num`` numbers would say something about such a writer; None if not known."""
        return None if self.power_at_n is None else self.power_at_n >= self.power

    @property
    def conclusion(self) -> str:
        """The plan in words."""
        parts = []
        if self.lines_needed is not None:
            parts.append(
                f"Of a writer with divergence {self.divergence:g} at cosine {self.cosine:g}, "
                f"{counted(self.lines_needed, 'number')} {be(self.lines_needed)} needed to find it with probability "
                f"{self.power:g}."
            )
        if self.num is not None:
            parts.append(
                f"{counted(self.num, 'number')} would show an effect of {self.effect_at_n:.3g} standard deviations: a "
                f"divergence of {self.divergence_at_n:.3g} at cosine {self.cosine:g}."
            )
        if self.is_null_worth_telling is False:
            parts.append(
                f"Finding nothing in them would be no null result: such a writer is missed with probability "
                f"{1 - (self.power_at_n or 0):.2g}."
            )
        elif self.is_null_worth_telling:
            parts.append("Finding nothing in them would say that there is no such writer, at this power.")
        elif self.num is not None:
            parts.append("Finding nothing in them says nothing of writers that moved less.")
        return " ".join(parts)


def detectable_effect(num: int, *, level: float, least: float = 0.0, power: float = 0.9) -> float:
    """Return the smallest effect that is found with probability ``power``: mean score over the deviation of one.

    max(z_{1-level} / sqrt(n), least) + z_{power} / sqrt(n)

    The measured effect is normal with standard deviation 1/sqrt(n) about the true one, and is found if it is beyond
    the bound of the one-sided test at ``level`` and beyond ``least``: b sqrt(2 KL) for a Fisher cosine above b.
    """
    if not num:
        return math.inf
    bound = max(-float(special.ndtri(level)) / math.sqrt(num), least)
    return bound + float(special.ndtri(power)) / math.sqrt(num)
