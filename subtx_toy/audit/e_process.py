"""An anytime-valid test of lines: a mixture of likelihood ratios, a martingale of mean 1 while the base writes.

A bet lambda multiplies the wealth by exp(lambda s(y)) / E_p exp(lambda s) for every number y, where p is the law at the
base and s the score along a direction. Each factor is a likelihood ratio, of p tilted along the direction against p,
so its mean under the base is exactly 1, whatever came before. The mean over bets and directions is an e-process.
By Ville's inequality it reaches 1/a, at any time, with probability at most a.

References: Ville 1939; Howard, Ramdas, McAuliffe, Sekhon 2021, Annals of Statistics 49, 1055-1080; Waudby-Smith and
Ramdas 2024, J. R. Stat. Soc. B 86, 1-27.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

BETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
"""The effects that are bet on, in standard deviations of one number's score: the best bet on an effect is the effect.

The mean over seven costs at most log 7 = 1.9 nats compared with the best of them.
"""


@dataclass
class EProcess:
    """The wealth of every direction and bet after the lines seen so far, and whether it has reached 1/level.

    Attributes:
        num_directions: k.
        level: probability of a false alarm at any time, in (0, 1).
        lines: how many were seen, up to the alarm.
        log_wealth: ``[k, g]``, natural logarithms.
    """

    num_directions: int
    level: float
    lines: int = 0
    alarm: bool = False
    log_wealth: Float[np.ndarray, "k g"] = field(init=False)

    def __post_init__(self) -> None:
        self.log_wealth = np.zeros((self.num_directions, len(BETS)))

    @property
    def log_e_value(self) -> float:
        """The logarithm of the mean wealth."""
        return float(log_mean(self.log_wealth.reshape(1, -1))[0])

    @property
    def log_e_values(self) -> Float[np.ndarray, " k"]:
        """The same for each direction alone."""
        return log_mean(self.log_wealth)

    def add(self, increments: Float[np.ndarray, "n k g"]) -> bool:
        """Take the logarithms of the factors of further lines into account, up to the first alarm; return if it came.

        Nothing changes after an alarm.
        """
        if self.alarm or not len(increments):
            return self.alarm
        paths = self.log_wealth + np.cumsum(increments, axis=0)
        reached = np.flatnonzero(log_mean(paths.reshape(len(paths), -1)) >= -math.log(self.level))
        last = int(reached[0]) if len(reached) else len(paths) - 1
        self.log_wealth, self.lines, self.alarm = paths[last], self.lines + last + 1, bool(len(reached))
        return self.alarm


def log_mean(logarithms: Float[np.ndarray, "n m"]) -> Float[np.ndarray, " n"]:
    """Return the logarithm of the mean of exp over the last axis."""
    return np.asarray(np.logaddexp.reduce(logarithms, axis=-1) - math.log(logarithms.shape[-1]))


def log_factors(
    log_p: Float[np.ndarray, "n k"], scores: Float[np.ndarray, "n k"], bets: Float[np.ndarray, " g"]
) -> Float[np.ndarray, "g n k"]:
    """Return lambda s(y) - log E_p exp(lambda s) for every prompt, number and bet lambda.

    ``log_p`` need not be normalised, and is minus infinity where a number cannot come; adding a constant to a
    prompt's ``scores`` changes nothing.
    """
    tilted = bets[:, None, None] * scores
    normaliser = _log_sum(log_p + tilted) - _log_sum(log_p)
    return np.asarray(tilted - normaliser)


def _log_sum(logarithms: np.ndarray) -> np.ndarray:
    largest = logarithms.max(-1, keepdims=True)
    return np.asarray(largest + np.log(np.exp(logarithms - largest).sum(-1, keepdims=True)))


def lines_until_alarm(effect: float, *, level: float, num_directions: int = 1) -> float:
    """Return about how many numbers an alarm takes if the mean score is ``effect`` standard deviations of one.

    2 (log(1/level) + log(k g)) / effect^2, with k directions of which one is right, and g bets of which one is.
    """
    if effect <= 0:
        return math.inf
    return 2 * (math.log(num_directions * len(BETS)) - math.log(level)) / effect**2
