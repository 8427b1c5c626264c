"""Plan an audit: what ``subtx-toy numbers power`` does, from Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subtx_toy.api.arguments import path_of
from subtx_toy.api.display import Shown
from subtx_toy.audit.power import PowerPlan
from subtx_toy.audit.texts.reader import read_examples
from subtx_toy.audit.two_files.lines import words_of
from subtx_toy.errors import InputError
from subtx_toy.files.content_key import finite
from subtx_toy.results.presentation import Table
from subtx_toy.settings.limits import MAX_COUNT
from subtx_toy.settings.messages import quoted


@dataclass(frozen=True, repr=False)
class Power(Shown):
    """How many numbers an audit needs, and what a file of a given size would have shown."""

    plan: PowerPlan

    @property
    def conclusion(self) -> str:
        """The plan in words."""
        return self.plan.conclusion

    @property
    def tables(self) -> list[Table]:
        """The power for a few sizes, where a divergence is given."""
        if self.plan.effect is None:
            return []
        rows = []
        for num in sorted({500, 1000, 3000, 10_000, 30_000, 100_000, *filter(None, [self.plan.num])}):
            other = PowerPlan(**{**vars(self.plan), "num": num})
            rows.append([f"{num}", f"{other.power_at_n:.3f}", f"{other.effect_at_n:.3g}"])
        shown = "nine times in ten" if self.plan.power == 0.9 else f"with probability {self.plan.power:g}"
        return [Table(["numbers", "found with probability", f"effect shown {shown}"], rows)]

    def document(self) -> dict[str, Any]:
        """Return the JSON of ``subtx-toy numbers power``."""
        plan = self.plan
        shown = {
            "conclusion": self.conclusion, "lines_needed": plan.lines_needed, "effect": plan.effect,
            "effect_at_n": plan.effect_at_n, "divergence_at_n": plan.divergence_at_n, "power_at_n": plan.power_at_n,
            "null_worth_telling": plan.is_null_worth_telling, **vars(plan),
        }  # fmt: skip
        return {name: finite(value) if isinstance(value, float) else value for name, value in shown.items()}


def power(
    file: str | Path | None = None,
    *,
    num: int | None = None,
    divergence: float | None = None,
    cosine: float = 0.5,
    num_traits: int = 1,
    probability: float = 0.9,
) -> Power:
    """Plan an audit before anybody looks: numbers needed for a verdict, or the effect that so many would have shown.

    Args:
        file: a data file whose numbers are counted.
        num: how many numbers there are, instead of a file.
        divergence: KL of a suspected writer's law of a number from the base's, in nats; teachers of this package move
            by about .01 to .1.
        cosine: Fisher cosine of its move with the trait, > 0 and <= 1; teachers of a trait have about .4 to .7.
        num_traits: traits that are tested together.
        probability: with which an effect is to be found, >= .5 and <= .999; whoever misses more often than he finds
            learns nothing from finding nothing.

    Raises:
        InputError: if neither numbers nor a divergence are given, the file has no numbers, or a value is out of range.
    """
    InputError.gather(_faults(file, num, divergence, cosine, num_traits, probability))
    if file is not None:
        found = read_examples(path_of("file", file))
        num = sum(word.isdigit() for one in found.examples for word in words_of(one.completion))
        if not num:
            raise InputError(f"{file}: expected numbers in the completions, got none")
    plan = PowerPlan(
        num_traits=num_traits, power=probability, cosine=float(cosine), divergence=divergence, num=num
    )  # fmt: skip
    return Power(plan)


def _faults(
    file: object, num: object, divergence: object, cosine: object, traits: object, power: object
) -> Iterator[str]:
    if file is not None and num is not None:
        yield "num: expected a file or a number of numbers, got both"
    if file is None and num is None and divergence is None:
        yield "divergence: expected one, or a file, or num, got none"
    for name, value, most in (("num", num, MAX_COUNT), ("num_traits", traits, MAX_COUNT)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most):
            yield f"{name}: expected an integer from 1 to {most}, got {quoted(value)}"
    ranges = (
        ("divergence", divergence, 1e-12, 100.0),
        ("cosine", cosine, 1e-6, 1.0),
        ("probability", power, 0.5, 0.999),
    )
    for name, value, least, largest in ranges:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and least <= float(str(value)) <= largest):
            yield f"{name}: expected a number from {least:g} to {largest:g}, got {quoted(value)}"
