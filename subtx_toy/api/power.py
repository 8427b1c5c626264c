"""Plan an audit: what ``subtx-toy numbers power`` does, from Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subtx_toy.api.arguments import path_of
from subtx_toy.api.display import Shown
from subtx_toy.audit.band import MIN_COSINE
from subtx_toy.audit.cosine_bound import CosineBound
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
        """Return the JSON of ``subtx-toy numbers power``; what is not known, or infinite, is null.

        ``bound`` is what the cosine has to exceed at the divergence. Where ``can_be_named`` is false it does not, and
        ``lines_needed`` is null: no number of lines is enough. ``bound_source`` is ``given`` or ``calibration``, the
        largest of which is then taken.
        """
        plan = self.plan
        shown = {
            "conclusion": self.conclusion, "lines_needed": plan.lines_needed, "effect": plan.effect,
            "effect_at_n": plan.effect_at_n, "divergence_at_n": plan.divergence_at_n, "cosine_at_n": plan.cosine_at_n,
            "power_at_n": plan.power_at_n, "null_worth_telling": plan.is_null_worth_telling, **vars(plan),
            "bound": plan.bound, "bound_source": "given" if plan.given_bound else "calibration",
            "can_be_named": plan.can_be_named,
        }  # fmt: skip
        del shown["given_bound"]
        return {name: finite(value) if isinstance(value, float) else value for name, value in shown.items()}


def power(
    file: str | Path | None = None,
    *,
    num: int | None = None,
    divergence: float | None = None,
    cosine: float = 0.5,
    bound: str | tuple[float, float] | None = None,
    num_traits: int = 1,
    probability: float = 0.9,
) -> Power:
    """Plan an audit before anybody looks: numbers needed for a verdict, or the effect that so many would have shown.

    Args:
        file: a data file whose numbers are counted.
        num: how many numbers there are, instead of a file.
        divergence: KL of a suspected writer's law of a number from the base's, in nats; teachers of this package move
            by about .01 to .1.
        cosine: Fisher cosine of its move with the trait, > 0 and <= 1; teachers of a trait have about .2 to .9.
        bound: what an audit of another file of this base printed: its bound of the cosine, and the divergence of that
            file, as ``"0.335:0.124"`` or a pair of numbers. It grows for smaller moves, as the divergence to the power
            of -1/4. Without it, the largest of the calibration in docs/audit-reliability.md is taken.
        num_traits: traits that are tested together.
        probability: with which an effect is to be found, >= .5 and <= .999; whoever misses more often than he finds
            learns nothing from finding nothing.

    Raises:
        InputError: if neither numbers nor a divergence are given, the file has no numbers, or a value is out of range.
    """
    known = _bound_of(bound)
    faults = list(_faults(file, num, divergence, cosine, num_traits, probability))
    if bound is not None and known is None:
        faults.append(
            f"bound: expected BOUND:DIVERGENCE as an audit prints them, such as 0.335:0.124, with a bound from "
            f"{MIN_COSINE:g} to 10 and a divergence from 1e-12 to 100, got {quoted(bound)}"
        )
    InputError.gather(faults)
    if file is not None:
        found = read_examples(path_of("file", file))
        num = sum(word.isdigit() for one in found.examples for word in words_of(one.completion))
        if not num:
            raise InputError(f"{file}: expected numbers in the completions, got none")
    plan = PowerPlan(
        num_traits=num_traits, power=probability, cosine=float(cosine), divergence=divergence, num=num,
        given_bound=known,
    )  # fmt: skip
    return Power(plan)


def _bound_of(value: object) -> CosineBound | None:
    """Return a bound of the cosine and its divergence; None for what is none."""
    parts = value.split(":") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or len(parts) != 2 or any(isinstance(part, bool) for part in parts):
        return None
    try:
        found = CosineBound(*(float(part) for part in parts))
    except (TypeError, ValueError):
        return None
    return found if MIN_COSINE <= found.value <= 10 and 1e-12 <= found.divergence <= 100 else None


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
