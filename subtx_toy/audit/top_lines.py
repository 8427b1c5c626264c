"""The lines of a file that say most about a trait."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from subtx_toy.channel.number_file import Piece


@dataclass
class TopLines:
    """The lines whose numbers score highest along one direction."""

    keep: int = 10
    _heap: list[tuple[float, int, int, tuple[int, ...]]] = field(default_factory=list)

    def add(self, piece: Piece, scores: Float[np.ndarray, " c"]) -> None:
        """Take the lines of a piece into account; a line is never spread over two pieces."""
        lines, starts = np.unique(piece.lines, return_index=True)  # lines are in order
        totals = np.add.reduceat(scores, starts)
        for at in np.argsort(-totals, kind="stable")[: self.keep]:
            part = slice(starts[at], starts[at + 1] if at + 1 < len(starts) else None)
            row = (
                float(totals[at]),
                -int(lines[at]),
                int(piece.prompts[starts[at]]),
                tuple(piece.numbers[part].tolist()),
            )
            if len(self._heap) < self.keep:
                heapq.heappush(self._heap, row)
            elif row > self._heap[0]:
                heapq.heapreplace(self._heap, row)

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield line, prompt, numbers and score, highest first."""
        for score, line, prompt, numbers in sorted(self._heap, reverse=True):
            yield {"line": -line, "prompt": prompt, "numbers": list(numbers), "score": score}
