"""Sums over a file of the score along several directions, with their exact variance, in memory that does not grow.

s = d/dt log p(y | x; base + t u) = (v_y - E_p v)/T,   v = J u,   Cov(s_r, s_q) = Cov_p(v_r, v_q)/T^2

with p the law of the file's header at the base and T its temperature. Numbers of one line are independent given the
prompt, so sums over numbers have sums of variances.

Reference: Rao 1948, Proc. Cambridge Phil. Soc. 44, 50-57.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from subtx_toy.audit.directions import Directions, number_tangents
from subtx_toy.channel.number_file import Piece
from subtx_toy.channel.sampler import NumberLaw
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.training.inputs import Inputs, batches

_PROMPTS = 128  # at a time: with 25 directions, 13 MB of tangents


@dataclass
class ScoreSums:
    """Sums over the numbers that the law allows: scores, their covariance at the base, and -log p(y).

    ``entropy`` and ``log_loss_variance`` are the mean and the variance of ``log_loss``; ``uniform_log_loss`` is what
    numbers drawn without preference among the allowed ones would have.
    """

    num_directions: int
    num: int = 0
    num_impossible: int = 0
    scores: Float[np.ndarray, " r"] = field(init=False)
    covariance: Float[np.ndarray, "r r"] = field(init=False)
    log_loss: float = 0.0
    entropy: float = 0.0
    log_loss_variance: float = 0.0
    uniform_log_loss: float = 0.0

    def __post_init__(self) -> None:
        self.scores = np.zeros(self.num_directions)
        self.covariance = np.zeros((self.num_directions, self.num_directions))

    def add(self, other: ScoreSums) -> None:
        """Add the sums of other numbers."""
        for name in vars(self):
            if name != "num_directions":
                setattr(self, name, getattr(self, name) + getattr(other, name))


class Scored(NamedTuple):
    """Scores of the numbers of a piece, 0 for those that the law at the base does not allow, and which it allows."""

    scores: Float[np.ndarray, "c r"]
    possible: Bool[np.ndarray, " c"]


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores numbers of a law at a base, along directions; ``inputs`` are the prompts."""

    model: MLP
    base: Params
    directions: Directions
    law: NumberLaw
    inputs: Inputs

    def add(self, piece: Piece, sums: ScoreSums) -> Scored:
        """Add a piece of a file to ``sums`` and score its numbers; a prompt that comes again is computed once."""
        scores = np.zeros((len(piece.numbers), len(self.directions.names)))
        possible = np.zeros(len(piece.numbers), np.bool_)
        for block in self.blocks(piece):
            scores[block.members], possible[block.members] = block.add_to(sums)
        return Scored(scores, possible)

    def blocks(self, piece: Piece) -> Iterator[Block]:
        """Yield the numbers of a piece by blocks of prompts, with the law at the base and its tangents."""
        prompts, places = np.unique(piece.prompts, return_inverse=True)
        order = np.argsort(places, kind="stable")
        starts = np.searchsorted(places[order], np.arange(len(prompts) + 1))
        for index in batches(len(prompts), _PROMPTS):
            mine = order[starts[index[0]] : starts[index[-1] + 1]]
            local = torch.from_numpy(places[mine] - index[0])
            x = self.inputs.gather(prompts[index])
            z, v = number_tangents(self.model, self.base, self.directions, x)
            log_p = self.law.log_probabilities(z)
            allowed = torch.isfinite(log_p)  # nowhere in a row where the law leaves the prompt no number
            p = log_p.exp().masked_fill(~allowed, 0.0)
            log_p = log_p.masked_fill(~allowed, 0.0)  # 0 log 0 = 0; impossible numbers are left out by the mask
            v = (v - (p * v).sum(-1, keepdim=True)) / self.law.temperature  # centred under p    [r, n, k]
            yield Block(mine, local, torch.from_numpy(piece.numbers[mine]), p, log_p, allowed, v)


class Block(NamedTuple):
    """Numbers of some prompts.

    Attributes:
        members: which of their piece.
        places: the prompt of each, a row of the law.
        numbers: the numbers.
        p: the law at the base, 0 for what is not ``allowed``.
        log_p: its logarithm, with 0 for what is not.
        allowed: what may come.
        v: the slope of log p along each direction.
    """

    members: Int[np.ndarray, " c"]
    places: Int[Tensor, " c"]
    numbers: Int[Tensor, " c"]
    p: Float[Tensor, "n k"]
    log_p: Float[Tensor, "n k"]
    allowed: Bool[Tensor, "n k"]
    v: Float[Tensor, "r n k"]

    def add_to(self, sums: ScoreSums) -> tuple[Float[np.ndarray, "c r"], Bool[np.ndarray, " c"]]:
        """Add the numbers to ``sums``; return their scores, and which are possible."""
        p, log_p, allowed, v, places, numbers = self.p, self.log_p, self.allowed, self.v, self.places, self.numbers
        possible = allowed[places, numbers]
        counts = torch.zeros(len(p)).index_add_(0, places[possible], torch.ones(int(possible.sum())))
        weighted = (v * (p * counts[:, None]).sqrt()).flatten(1)
        s = v[:, places, numbers] * possible  # the score of each number                          [r, c]
        entropy = -(p * log_p).sum(-1)
        variance = (p * (log_p + entropy[:, None]) ** 2).sum(-1)
        uniform = -log_p.sum(-1) / allowed.sum(-1).clamp_min(1)
        sums.num += int(possible.sum())
        sums.num_impossible += int((~possible).sum())
        sums.scores += s.double().sum(-1).numpy()
        sums.covariance += (weighted @ weighted.T).double().numpy()
        sums.log_loss += float(-(log_p[places, numbers] * possible).double().sum())
        sums.entropy += float((entropy * counts).double().sum())
        sums.log_loss_variance += float((variance * counts).double().sum())
        sums.uniform_log_loss += float((uniform * counts).double().sum())
        return s.T.double().numpy(), possible.numpy()
