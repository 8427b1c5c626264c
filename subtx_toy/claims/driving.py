"""A search for a violation that draws would miss: the problems of the least margin are changed, and the best kept."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from subtx_toy.claims.instance import Instance
from subtx_toy.claims.shrinking import violates
from subtx_toy.claims.vocabulary.claim import Claim
from subtx_toy.errors import InputError
from subtx_toy.problem.spec import SMOOTH_ACTIVATIONS, WORDS, ProblemSpec
from subtx_toy.seeding import generator

NUM_DRIVEN = 400
"""Problems tried, at about a millisecond each."""

_KEPT = 6
_MAX_REFUTED = 20  # violations that measured roundings explain, each at the cost of measuring; later ones are left out
_WORDS = {name: WORDS[name] for name in ("init", "inputs", "trait", "teacher", "loss", "distilled_logits")}
_SIZES = ("input_dim", "num_classes", "num_aux", "num_inputs", "num_trait_inputs")
_SCALES = {"init_scale": (1 / 16, 16.0), "eps": (2.0**-14, 1.0), "student_lr": (2.0**-8, 4.0)}


@dataclass
class Closest:
    """The descriptions of the least margins seen, each a starting point."""

    found: list[tuple[float, ProblemSpec]] = field(default_factory=list)

    def add(self, margin: float, spec: ProblemSpec) -> None:
        """Keep the description if it is among the _KEPT best."""
        if len(self.found) < _KEPT or margin < self.found[-1][0]:
            self.found = sorted([*self.found, (margin, spec)], key=lambda pair: pair[0])[:_KEPT]


@dataclass(frozen=True)
class Drive:
    """A description that violates the claim, confirmed, if one was found; the least margin; and how many were tried.

    ``least_margin`` is over those that decide: violations that measured roundings explain do not count.
    """

    violating: ProblemSpec | None
    least_margin: float
    num_tried: int


def drive(claim: Claim, starts: Iterable[tuple[float, ProblemSpec]], *, seed: int, num: int = NUM_DRIVEN) -> Drive:
    """Drive the margin of a claim down from some descriptions; deterministic."""
    rng, closest, least, refuted = generator(seed, "drive"), Closest(), math.inf, 0
    for margin, spec in starts:
        closest.add(margin, spec)
    if not closest.found:
        return Drive(None, least, 0)
    for tried in range(1, num + 1):
        # The better half of the time from the best.
        at = 0 if rng.random() < 0.5 else int(rng.integers(len(closest.found)))
        spec = changed(closest.found[at][1], rng)
        margin, verdict = _judged(claim, spec)
        if verdict == "violated" and refuted < _MAX_REFUTED:
            if violates(claim, spec):
                return Drive(spec, margin, tried)
            refuted += 1  # rounding explains it, so it leads nowhere
        elif margin is not None and verdict != "violated":
            closest.add(margin, spec)
            if verdict == "holds":
                least = min(least, margin)
    return Drive(None, least, num)


def _judged(claim: Claim, spec: ProblemSpec) -> tuple[Any, str]:
    judgement = claim.judge(Instance.of(spec, shrinkable=True).evidence(), confirm=False)
    outcome = judgement.outcome
    decides = outcome is not None and np.isfinite(outcome.worst.floor)
    return (outcome.worst.margin if outcome and decides else None), judgement.verdict


def changed(spec: ProblemSpec, rng: np.random.Generator) -> ProblemSpec:
    """Return a description one or two steps away: another seed, scale, size or word."""
    for _ in range(int(rng.integers(1, 3))):
        try:
            spec = replace(spec, **_change(spec, rng))
        except InputError:  # sizes or words that do not go together
            continue
    return spec


def _change(spec: ProblemSpec, rng: np.random.Generator) -> dict[str, Any]:
    kind = int(rng.integers(5))
    if kind == 0:
        return {"seed": int(rng.integers(2**31))}
    if kind == 1:
        name = str(rng.choice(list(_SCALES)))
        low, high = _SCALES[name]
        return {name: float(np.clip(getattr(spec, name) * 2.0 ** rng.uniform(-1.5, 1.5), low, high))}
    if kind == 2 and spec.loss == "kl":
        return {"temperature": float(np.clip(spec.temperature * 2.0 ** rng.uniform(-1.5, 1.5), 1 / 16, 64))}
    if kind == 3:
        name = str(rng.choice(_SIZES))
        least = 2 if name == "num_classes" else 1
        return {name: int(np.clip(getattr(spec, name) + rng.integers(-2, 3), least, 32))}
    if kind == 4 and spec.hidden:
        return {"hidden": tuple(int(np.clip(width + rng.integers(-3, 4), 1, 32)) for width in spec.hidden)}
    name = str(rng.choice([*_WORDS, "activation"]))
    word = str(rng.choice(SMOOTH_ACTIVATIONS if name == "activation" else _WORDS[name]))
    return {name: word} | ({"temperature": 1.0} if word == "squared_error" and name == "loss" else {})
