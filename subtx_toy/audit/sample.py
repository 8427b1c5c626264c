"""The numbers of a file that a student learns, whatever order they stand in, and the lines of it that come again."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Int, UInt64
from scipy import special

from subtx_toy.audit.score_sums import Scorer
from subtx_toy.channel.number_file import Piece
from subtx_toy.channel.sampler import number_logits

MAX_LEARNT = 10_000
"""Numbers of a file that a student is trained and judged on; the scores are taken of all."""

_KEY = 0x5375_6254_7854_6F79  # any will do; another one chooses other lines
_REPEATS_LEVEL = 0.001
_OTHER_LAW = 2.0  # a writer that moved may repeat itself so many times as often as the base does


@dataclass
class Sample:
    """Numbers seen so far, at most ``most``, in the order of their lines' keys; those with the smallest keys are kept.

    A key depends on nothing but a line's prompt and numbers, so the first of them are the same in whatever order the
    lines of a file stand, and equal lines are chosen together.
    """

    most: int = MAX_LEARNT
    _pieces: list[Piece] = field(default_factory=list)
    _keys: list[UInt64[np.ndarray, " c"]] = field(default_factory=list)
    _held: int = 0

    def add(self, piece: Piece, possible: Bool[np.ndarray, " c"]) -> None:
        """Take the possible numbers of a piece into account; a line is never spread over two pieces."""
        kept = np.flatnonzero(possible)
        self._pieces.append(Piece(piece.prompts[kept], piece.numbers[kept], piece.lines[kept]))
        self._keys.append(line_keys(piece)[kept])
        self._held += len(kept)
        if self._held > self.most:
            self._sort()

    def numbers(self) -> Piece:
        """Return what is kept."""
        self._sort()
        return self._pieces[0]

    def _sort(self) -> None:
        keys = np.concatenate(self._keys)
        order = np.argsort(keys, kind="stable")[: self.most]  # stable: the numbers of a line stay in their order
        prompts, numbers, lines = (
            np.concatenate([getattr(piece, name) for piece in self._pieces])[order]
            for name in ("prompts", "numbers", "lines")
        )
        self._pieces, self._keys, self._held = [Piece(prompts, numbers, lines)], [keys[order]], len(order)


def line_keys(piece: Piece) -> UInt64[np.ndarray, " c"]:
    """Return the key of each number's line: 64 bits that look random, equal for lines of equal content."""
    _, starts, of = np.unique(piece.lines, return_index=True, return_inverse=True)  # lines are in order
    places = np.arange(len(of)) - starts[of]
    words = (piece.prompts.astype(np.uint64) << np.uint64(14)) | (piece.numbers.astype(np.uint64) << np.uint64(4))
    mixed = _mixed((words | places.astype(np.uint64)) ^ np.uint64(_KEY))
    keys: UInt64[np.ndarray, " l"] = _mixed(np.add.reduceat(mixed, starts))
    return keys[of]


def _mixed(x: UInt64[np.ndarray, " c"]) -> UInt64[np.ndarray, " c"]:
    """Return the finaliser of splitmix64 of every word.

    Reference: Steele, Lea, Flood 2014, OOPSLA, Fast splittable pseudorandom number generators.
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: UInt64[np.ndarray, " c"] = x ^ (x >> np.uint64(31))
    return mixed


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
        return bool(special.gammainc(self.found, _OTHER_LAW * self.expected) < _REPEATS_LEVEL)  # P(Poisson >= found)


def count_repeats(scorer: Scorer, piece: Piece) -> Repeats:
    """Count the pairs of equal lines of a sample, which holds all or none of the copies of a line but the last one's.

    Two lines of a prompt that have m numbers both are equal with probability (sum_y p(y)^2)^m, p the law at the base.
    """
    order = np.argsort(piece.lines, kind="stable")  # a sample is not in the order of the lines
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
