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
        weights: ``[d, r]``, combinations of the scorer's directions: first each trait's without its honest part,
            then each as it is, where there are honest directions. Most of a trait's move is also an honest one, so
            the whole direction refutes the base sooner; the part says towards what the writer moved.
        spreads: ``[d]``, standard deviation of one number's score along each; 0 where nothing is left of it.
    """

    weights: Float[np.ndarray, "d r"]
    spreads: Float[np.ndarray, " d"]

    @classmethod
    def of(cls, scorer: Scorer, piece: Piece) -> Tilts:
        """Return the directions by the covariance at the prompts of a piece, whatever its numbers are."""
        num_traits, num = scorer.directions.num_traits, len(scorer.directions.names)
        sums = ScoreSums(num)
        scorer.add(piece, sums)
        F, W = sums.covariance, np.arange(num_traits, num)
        rows = np.eye(num_traits, num)
        if len(W):
            parts = rows.copy()
            parts[:, W] = -np.linalg.lstsq(F[np.ix_(W, W)], F[W, :num_traits], rcond=1e-10)[0].T
            rows = np.concatenate([parts, rows])
        left = np.einsum("dr,rq,dq->d", rows, F, rows)
        whole = np.tile(F.diagonal()[:num_traits], len(rows) // num_traits)
        spreads = np.where(left > 1e-10 * whole, np.sqrt(left.clip(0) / max(sums.num, 1)), 0.0)
        return cls(rows, spreads)

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
        moved_towards: indices of the traits along whose own part the e-value is at least (number of traits) / level.
    """

    decision: str
    process: EProcess
    numbers: int
    fit: Fit
    moved_towards: tuple[int, ...]
    num_traits: int

    @property
    def log_e_values(self) -> Float[np.ndarray, " k"]:
        """Evidence along each trait's direction without its honest part, in nats."""
        return self.process.log_e_values[: self.num_traits]

    @property
    def log_e_values_whole(self) -> Float[np.ndarray, " k"]:
        """Evidence along each trait's direction as it is, in nats."""
        return self.process.log_e_values[-self.num_traits :]


def read_stream(file: NumberFile, scorer: Scorer, *, level: float) -> StreamMeasurement:
    """Read lines until the e-process reaches 1/level, or to the end.

    The false alarms of it are at most ``level``, wherever the reading stops, if the base wrote the lines and they are
    independent given their prompts. The directions are fixed by the prompts of the first piece, and not by its
    numbers, which are what is random.
    """
    num_traits = scorer.directions.num_traits
    sums, tilts, process = ScoreSums(len(scorer.directions.names)), None, EProcess(num_traits, level)
    for piece in file.pieces(PIECE):
        if tilts is None:
            tilts = Tilts.of(scorer, piece)
            process = EProcess(len(tilts.spreads), level)
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
    reached = process.log_e_values[:num_traits] >= math.log(num_traits) - math.log(level)
    towards = tuple(int(index) for index in np.flatnonzero(reached)) if decision == MOVED else ()
    return StreamMeasurement(decision, process, sums.num + sums.num_impossible, fit, towards, num_traits)


def _surely_does_not_apply(fit: Fit, sums: ScoreSums) -> bool:
    """Return whether the fit fails by more than the noise of as few numbers."""
    if fit.applies:
        return False
    error = math.sqrt(sums.log_loss_variance) / sums.num if sums.num else 0.0
    total = sums.num + sums.num_impossible
    impossible = sums.num_impossible > 0.01 * total + _SURE * math.sqrt(0.01 * total)
    return fit.excess_log_loss - _SURE * error > fit.limit or impossible


def stream_rows(names: Sequence[str], found: StreamMeasurement) -> dict[str, dict[str, float | bool]]:
    """Return, by trait, the logarithms of its e-values, and whether that without honest moves is enough alone."""
    return {
        name: {
            "log_e_value_whole": float(whole),
            "log_e_value": float(own),
            "moved_towards": index in found.moved_towards,
        }
        for index, (name, own, whole) in enumerate(
            zip(names, found.log_e_values, found.log_e_values_whole, strict=True)
        )
    }
