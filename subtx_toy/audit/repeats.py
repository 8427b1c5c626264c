"""Lines of a file that come again, and how many would by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy import special

from subtx_toy.audit.sample import line_keys
from subtx_toy.audit.score_sums import Scorer
from subtx_toy.channel.number_file import Piece
from subtx_toy.channel.sampler import number_logits

_LEVEL = 0.001
_OTHER_LAW = 2.0  # a writer that moved may repeat itself so many times as often as the base does


@dataclass(frozen=True)
class Repeats:
    """Pairs of equal lines: those found, and the mean number had the base written every line independently."""

    found: int
    expected: float

    @property
    def beyond_chance(self) -> bool:
        """Whether there are more than a writer whose lines are independent has once in a thousand files.

        A Poisson law with twice the mean: pairs that share a line are not independent, and the writer is another net
        than the base, which the factor is for.
        """
        if not self.found:
            return False
        return bool(special.gammainc(self.found, _OTHER_LAW * self.expected) < _LEVEL)  # P(Poisson >= found)


def count_repeats(scorer: Scorer, piece: Piece) -> Repeats:
    """Count the pairs of equal lines of a sample, which holds all or none of the copies of a line but the last one's.

    Two lines of a prompt that have m numbers both are equal with probability (sum_y p(y)^2)^m, p the law at the base.
    """
    order = np.argsort(piece.lines, kind="stable")  # a sample of a long file is not in the order of its lines
    piece = Piece(piece.prompts[order], piece.numbers[order], piece.lines[order])
    starts = np.unique(piece.lines, return_index=True)[1]
    prompts, counts = piece.prompts[starts], np.bincount(np.unique(piece.lines, return_inverse=True)[1])
    kinds, of_kind = np.unique(np.stack([prompts, counts]), axis=1, return_counts=True)  # prompt and length
    kinds, of_kind = kinds[:, of_kind > 1], of_kind[of_kind > 1]
    expected = float((_pairs(of_kind) * _collisions(scorer, kinds[0]) ** kinds[1]).sum())
    return Repeats(int(_pairs(np.unique(line_keys(piece)[starts], return_counts=True)[1]).sum()), expected)


def _pairs(counts: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    pairs: Int[np.ndarray, " n"] = counts * (counts - 1) // 2
    return pairs


def _collisions(scorer: Scorer, rows: Int[np.ndarray, " n"]) -> np.ndarray:
    """Return the probability that two numbers of a prompt are equal."""
    found = np.zeros(len(rows))
    for index, logits in number_logits(scorer.model, scorer.base, scorer.inputs, rows):
        found[index] = (2 * scorer.law.log_probabilities(logits)).exp().sum(-1).numpy()
    return found
