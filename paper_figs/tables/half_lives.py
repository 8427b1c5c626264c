"""Half-lives of the trait along chains of students, from the committed chains of ``experiments/studies/half_lives.py``.

The half-life is that of github.com/jlov7/GhostTrace, ghosttrace/stats/decay.py: a exp(-g ln 2 / h) + c is fitted by
least squares to the mean gap between the chain and its control, generation by generation.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import optimize, special

from subtx_toy.stats import Interval

CHAINS = Path(__file__).parents[2] / "docs" / "results" / "mechanism" / "generations.json"

PUBLISHED = {3: 0.5731, 10: 0.9873, 30: 2.3983}
"""By auxiliary logits, in generations: reports/toy_chain/phase_diagram_raw.json of that repository, 2026."""

PUBLISHED_CHAINS, NUM_CHAINS = 4, 10

_SHORTEST, _LONGEST = 0.05, 50.0  # generations; at both ends nothing is known from five of them


class HalfLife(NamedTuple):
    """A half-life in generations, its 95 % interval, and that of a fit to as few chains as were published."""

    mean: float
    interval: Interval
    published_interval: Interval


def half_life(gaps: Float[np.ndarray, " g"]) -> float:
    """Return the half-life in generations of a gap after 1, 2, ... generations, at least .05 and at most 50.

    >>> round(half_life(0.1 + 0.6 * 0.5 ** (np.arange(1, 6) / 1.7)), 4)
    1.7
    """
    later, from_mean = np.arange(len(gaps)), gaps - gaps.mean()

    def explained(log_half_life: Float[np.ndarray, " h"]) -> Float[np.ndarray, " h"]:
        """Return the sum of squares that the best a and c explain."""
        falling = 0.5 ** (later / np.exp(log_half_life)[:, None])
        falling -= falling.mean(1, keepdims=True)
        found: Float[np.ndarray, " h"] = (falling @ from_mean) ** 2 / (falling**2).sum(1)
        return found

    places = np.linspace(math.log(_SHORTEST), math.log(_LONGEST), 200)
    best = int(np.argmax(explained(places)))
    bounds = places[max(best - 1, 0)], places[min(best + 1, len(places) - 1)]
    found = optimize.minimize_scalar(
        lambda place: -explained(np.array([place]))[0], bounds=bounds, method="bounded", options={"xatol": 1e-6}
    )
    return math.exp(found.x)


def estimated(gaps: Float[np.ndarray, "n g"]) -> HalfLife:
    """Return the half-life of the mean gap of n chains, with the interval of its logarithm by the jackknife.

    Reference: Efron and Stein 1981, Annals of Statistics 9, 586-596; Student's t with n - 1 degrees of freedom.
    """
    num = len(gaps)
    whole = half_life(gaps.mean(0))
    without = np.log([half_life(np.delete(gaps, index, axis=0).mean(0)) for index in range(num)])
    error = math.sqrt((num - 1) / num * float(np.sum((without - without.mean()) ** 2)))
    half = float(special.stdtrit(num - 1, 0.975)) * error

    def around(width: float) -> Interval:
        return Interval(whole * math.exp(-width), whole * math.exp(width))

    return HalfLife(whole, around(half), around(half * math.sqrt(1 + num / PUBLISHED_CHAINS)))


def gaps_of(chains: Sequence[dict[str, list[float]]]) -> Float[np.ndarray, "n g"]:
    """Return the accuracy of the chain's student less that of its control, of each seed after each generation."""
    found: Float[np.ndarray, "n g"] = np.array([np.subtract(one["student_aux"], one["cross_aux"]) for one in chains])
    return found


@functools.cache
def committed(*, bias_correction: bool) -> dict[int, HalfLife]:
    """Return the half-lives of the committed chains, by auxiliary logits, with Adam's correction or without it."""
    rows = json.loads(CHAINS.read_text(encoding="utf-8"))["rows"]
    kept = [row for row in rows if row["bias_correction"] is bias_correction]
    return {row["num_aux"]: estimated(gaps_of(row["seeds"])) for row in kept}
