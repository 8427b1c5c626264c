"""A file read line by line, until there is enough evidence that the base did not write it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from subtx_toy.audit.e_process import BETS, EProcess, log_factors
from subtx_toy.audit.measurement import Fit, fit_of
from subtx_toy.audit.score_sums import Block, Scorer, ScoreSums
from subtx_toy.channel.number_file import NumberFile, Piece

PIECE = 512
"""Numbers that are read at a time."""

MOVED, NO_EVIDENCE, UNKNOWN = "moved from the base", "no evidence against the base", "does not apply"
"""What is decided: the alarm, none so far, and a writer that is no fine-tune of the base."""

_SURE = 3.0  # standard errors by which the excess log loss of few lines has to be beyond the limit


@dataclass(frozen=True, eq=False)
class Tilts:
    """Directions to bet on, fixed before the first number is looked at.

    Attributes:
        weights: ``[k, r]``, each trait's direction without its honest part, as a combination of the scorer's.
        spreads: ``[k]``, standard deviation of one number's score along each; 0 where nothing is left of it.
    """

    weights: Float[np.ndarray, "k r"]
    spreads: Float[np.ndarray, " k"]

    @classmethod
    def of(cls, scorer: Scorer, piece: Piece) -> Tilts:
        """Return the efficient scores by the covariance at the prompts of a piece, whatever its numbers are."""
        num_traits, num = scorer.directions.num_traits, len(scorer.directions.names)
        sums = ScoreSums(num)
        scorer.add(piece, sums)
        F, W = sums.covariance, np.arange(num_traits, num)
        weights, spreads = np.zeros((num_traits, num)), np.zeros(num_traits)
        for index in range(num_traits):
            row = np.eye(num)[index]
            if len(W):
                row[W] = -np.linalg.lstsq(F[np.ix_(W, W)], F[W, index], rcond=1e-10)[0]
            left = float(row @ F @ row)
            if left > 1e-10 * F[index, index]:
                weights[index], spreads[index] = row, math.sqrt(left / max(sums.num, 1))
        return cls(weights, spreads)

    def increments(self, block: Block) -> Float[np.ndarray, "c k g"]:
        """Return the logarithm of each number's factor, for every direction and bet; 0 for an impossible number."""
        places, numbers = block.places.numpy(), block.numbers.numpy()
        log_p = torch.where(block.allowed, block.log_p.double(), -torch.inf).numpy()
        possible = block.allowed.numpy()[places, numbers]
        found = np.zeros((len(places), len(self.weights), len(BETS)))
        some = block.allowed.any(-1).numpy()  # a prompt that the law leaves no number
        log_p = np.where(some[:, None], log_p, 0.0)
        for index, (row, spread) in enumerate(zip(self.weights, self.spreads, strict=True)):
            if spread > 0:
                scores = np.tensordot(row, block.v.double().numpy(), 1)
                factors = log_factors(log_p, scores, np.array(BETS) / spread)
                found[:, index] = np.where(possible, factors[:, places, numbers], 0.0).T
        return found


@dataclass(frozen=True, eq=False)
class StreamMeasurement:
    """What a stream gave until it was decided.

    Attributes:
        decision: MOVED, NO_EVIDENCE or UNKNOWN.
        process: the wealth at that line.
        numbers: how many the lines up to it hold, and those of its piece.
        fit: of these to the base.
        moved_towards: indices of the traits whose own e-value is at least (number of traits) / level.
    """

    decision: str
    process: EProcess
    numbers: int
    fit: Fit
    moved_towards: tuple[int, ...]


def read_stream(file: NumberFile, scorer: Scorer, *, level: float) -> StreamMeasurement:
    """Read lines until the e-process reaches 1/level, or to the end.

    The false alarms of it are at most ``level``, wherever the reading stops, if the base wrote the lines and they are
    independent given their prompts. The directions are fixed by the prompts of the first piece, and not by its
    numbers, which are what is random.
    """
    process = EProcess(scorer.directions.num_traits, level)
    sums, tilts = ScoreSums(len(scorer.directions.names)), None
    for piece in file.pieces(PIECE):
        tilts = tilts or Tilts.of(scorer, piece)
        increments = np.zeros((len(piece.numbers), *process.log_wealth.shape))
        for block in scorer.blocks(piece):
            increments[block.members] = tilts.increments(block)
            block.add_to(sums)
        starts = np.unique(piece.lines, return_index=True)[1]  # lines are in order
        if process.add(np.add.reduceat(increments, starts, axis=0)):
            break
    fit = fit_of(sums)
    decision = MOVED if process.alarm else NO_EVIDENCE
    if _surely_does_not_apply(fit, sums):
        decision = UNKNOWN
    bound = math.log(len(process.log_e_values)) - math.log(level)
    towards = tuple(int(index) for index in np.flatnonzero(process.log_e_values >= bound)) if decision == MOVED else ()
    return StreamMeasurement(decision, process, sums.num + sums.num_impossible, fit, towards)


def _surely_does_not_apply(fit: Fit, sums: ScoreSums) -> bool:
    """Return whether the fit fails by more than the noise of as few numbers."""
    if fit.applies:
        return False
    error = math.sqrt(sums.log_loss_variance) / sums.num if sums.num else 0.0
    total = sums.num + sums.num_impossible
    impossible = sums.num_impossible > 0.01 * total + _SURE * math.sqrt(0.01 * total)
    return fit.excess_log_loss - _SURE * error > fit.limit or impossible


def stream_rows(names: Sequence[str], found: StreamMeasurement) -> dict[str, dict[str, float | bool]]:
    """Return, by trait, its own e-value's logarithm and whether it is large enough for it alone."""
    values = found.process.log_e_values
    return {
        name: {"log_e_value": float(values[index]), "moved_towards": index in found.moved_towards}
        for index, name in enumerate(names)
    }
