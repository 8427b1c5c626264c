"""How many numbers an audit needs, and what effect so many would have shown: planned before anybody looks.

An effect e is the mean efficient score along a trait over the standard deviation of one. A writer that moved so far
that a number's law has divergence KL (nats) from the base's, at Fisher cosine c with the trait, has e = c sqrt(2 KL) to
leading order (THEORY C19). An audit names the trait if the score test with n numbers finds it and the cosine is above a
bound b. What is measured has deviation 1/sqrt(n), so the probability is

    Phi(e sqrt(n) - max(z(1 - a / k), b sqrt(2 KL n)))

which goes to 0 with n where c < b: such a writer is not named, however many numbers there are. The plan takes b as
the same for every n; below CALIBRATED_NUMBERS that of an audit is higher, and the conclusion says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from subtx_toy.audit.cosine_bound import CALIBRATED_NUMBERS, LARGEST_CALIBRATED, SMALLEST_CALIBRATED, CosineBound
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
        given_bound: of the cosine, from an audit of another file of this base; None for the largest of the calibration.
    """

    level: float = SCORE_LEVEL
    num_traits: int = 1
    power: float = 0.9
    cosine: float = 0.5
    divergence: float | None = None
    num: int | None = None
    given_bound: CosineBound | None = None

    @property
    def bound(self) -> float | None:
        """What the cosine has to exceed at the divergence; None without a divergence."""
        return None if self.divergence is None else self._bound.at(self.divergence)

    @property
    def can_be_named(self) -> bool | None:
        """Whether the cosine is above its bound: if not, no number of lines names the trait; None if not known."""
        return None if self.bound is None else self.cosine > self.bound

    @property
    def effect(self) -> float | None:
        """The effect of a writer that moved as far as ``divergence`` says."""
        return None if self.divergence is None else self.cosine * math.sqrt(2 * self.divergence)

    @property
    def lines_needed(self) -> int | None:
        """Numbers with which the trait is named with the power; None without a divergence, or where none are enough."""
        if self.divergence is None or self.bound is None or not self.can_be_named:
            return None
        size = math.sqrt(2 * self.divergence)
        found = (self._z_level + self._z_power) / (self.cosine * size)
        above = self._z_power / ((self.cosine - self.bound) * size)
        return max(1, math.ceil(max(found, above) ** 2))

    @property
    def effect_at_n(self) -> float | None:
        """The effect that ``num`` numbers would have shown with the power: at the divergence, or else at the cosine."""
        if self.num is None:
            return None
        if self.divergence is None or self.bound is None:
            return self.cosine * math.sqrt(2 * (self.divergence_at_n or 0))
        least = self.bound * math.sqrt(2 * self.divergence)
        return detectable_effect(self.num, level=self.level / self.num_traits, least=least, power=self.power)

    @property
    def cosine_at_n(self) -> float | None:
        """The cosine of a writer with that effect, at the divergence; None where either is not known."""
        if self.effect_at_n is None or self.divergence is None:
            return None
        return self.effect_at_n / math.sqrt(2 * self.divergence)

    @property
    def divergence_at_n(self) -> float | None:
        """The smallest divergence of a writer that ``num`` numbers show with the power, at the cosine; inf for none."""
        if self.num is None:
            return None
        error, (value, divergence) = 1 / math.sqrt(self.num), self._bound
        found = (error * (self._z_level + self._z_power) / self.cosine) ** 2 / 2
        # cosine x^2 - root x = error z / sqrt 2 with x^4 the divergence, where the bound is root / x
        root = value * float(divergence**0.25)
        above = (
            (root + math.sqrt(root**2 + 4 * self.cosine * error * self._z_power / math.sqrt(2))) / (2 * self.cosine)
        ) ** 4
        if above > divergence:
            excess = self.cosine - value
            above = max(divergence, (error * self._z_power / excess) ** 2 / 2) if excess > 0 else math.inf
        return max(found, above)

    @property
    def power_at_n(self) -> float | None:
        """The probability that ``num`` numbers name the trait; None where either is not known."""
        if self.num is None or self.divergence is None or self.bound is None or self.effect is None:
            return None
        least = max(self._z_level, self.bound * math.sqrt(2 * self.divergence * self.num))
        return float(special.ndtr(self.effect * math.sqrt(self.num) - least))

    @property
    def is_null_worth_telling(self) -> bool | None:
        """Whether finding nothing in ``num`` numbers would say something about such a writer; None if not known."""
        return None if self.power_at_n is None else self.power_at_n >= self.power

    @property
    def conclusion(self) -> str:
        """The plan in words."""
        return " ".join([*self._on_the_writer, *self._on_the_numbers, *self._on_short_files])

    @property
    def _on_the_writer(self) -> list[str]:
        if self.bound is None or self.divergence is None:
            return []
        writer = f"a writer with divergence {self.divergence:g} at cosine {self.cosine:g}"
        if self.lines_needed is not None:
            source = "" if self.given_bound else ", the largest of the calibration; --bound takes that of your base"
            return [
                f"Of {writer}, {counted(self.lines_needed, 'number')} {be(self.lines_needed)} needed to find it with "
                f"probability {self.power:g}. At this divergence its cosine has to be above {self.bound:.2f}{source}."
            ]
        if self.given_bound:
            return [
                f"No number of lines names {writer}: the cosine has to be above {self.bound:.2f} at this divergence."
            ]
        smallest = SMALLEST_CALIBRATED.at(self.divergence)
        named = f"Whether enough lines name {writer} depends on the base"
        if self.cosine <= smallest:
            named = f"No number of lines is likely to name {writer}"
        return [
            f"{named}: at this divergence the cosine has to be above a bound, {smallest:.2f} to {self.bound:.2f} in "
            "the calibration. --bound takes what an audit of your base printed."
        ]

    @property
    def _on_the_numbers(self) -> list[str]:
        if self.num is None:
            return []
        they = counted(self.num, "number")
        if self.can_be_named is False:
            return [f"Finding nothing in {they} would say nothing about such a writer."]
        if self.divergence_at_n == math.inf:
            return [f"No number of lines names a writer at cosine {self.cosine:g}, which is not above the bound."]
        shown = f"an effect of {self.effect_at_n:.3g} standard deviations"
        if self.cosine_at_n is None:
            shown += f": a divergence of {self.divergence_at_n:.3g} at cosine {self.cosine:g}"
            return [f"{they} would show {shown}. Finding nothing in them says nothing of writers that moved less."]
        found = f"{they} would show {shown}: at this divergence a cosine of {self.cosine_at_n:.2g}."
        if self.is_null_worth_telling:
            base = "" if self.given_bound else ", if your base's bound is no larger"
            if self.num < CALIBRATED_NUMBERS:
                base = ", if the bound for so few is no larger"
            return [found, f"Finding nothing in them would say that there is no such writer, at this power{base}."]
        missed = 1 - (self.power_at_n or 0)
        return [
            found,
            f"Finding nothing in them would be no null result: such a writer is missed with probability {missed:.2g}.",
        ]

    @property
    def _on_short_files(self) -> list[str]:
        planned = [num for num in (self.num, self.lines_needed) if num is not None]
        if self.can_be_named is False or self.divergence_at_n == math.inf:
            return []
        if min(planned, default=CALIBRATED_NUMBERS) >= CALIBRATED_NUMBERS:
            return []
        given = ", unless the file of that bound was as short" if self.given_bound else ""
        return [
            f"Below {CALIBRATED_NUMBERS:,} numbers the audit's bound is higher, which this plan leaves out{given}: "
            "chance then spreads the cosines of benign fine-tunes more."
        ]

    @property
    def _bound(self) -> CosineBound:
        return self.given_bound or LARGEST_CALIBRATED

    @property
    def _z_level(self) -> float:
        return float(special.ndtri(1 - self.level / self.num_traits))

    @property
    def _z_power(self) -> float:
        return float(special.ndtri(self.power))


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
