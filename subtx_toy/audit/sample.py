"""The numbers of a file that a student learns: all of them, or as many as it takes, whatever order they stand in."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, UInt64

from subtx_toy.channel.number_file import Piece

MAX_LEARNT = 10_000
"""Numbers of a file that a student is trained and judged on; the scores are taken of all."""

_KEY = 0x5375_6254_7854_6F79  # any will do; another one chooses other lines


@dataclass
class Sample:
    """Numbers seen so far: in the file's order while there are no more than ``most``, and then by their lines' content.

    Of a longer file the lines with the smallest keys are kept. A key depends on nothing but a line's prompt and
    numbers, so the choice is the same in whatever order the lines stand, and equal lines are chosen together.
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
            whole, keys = self.numbers(), np.concatenate(self._keys)
            order = np.argsort(keys, kind="stable")[: self.most]  # stable: the numbers of a line stay in their order
            self._pieces = [Piece(whole.prompts[order], whole.numbers[order], whole.lines[order])]
            self._keys, self._held = [keys[order]], self.most

    def numbers(self) -> Piece:
        """Return what is kept."""
        prompts, numbers, lines = (
            np.concatenate([getattr(piece, name) for piece in self._pieces]) for name in ("prompts", "numbers", "lines")
        )
        return Piece(prompts, numbers, lines)


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
