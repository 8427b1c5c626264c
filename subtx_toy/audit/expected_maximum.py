"""The highest score that a line would have if the base had written the file, for the lines that say most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int

from subtx_toy.audit.directions import number_tangents
from subtx_toy.audit.score_sums import Scorer
from subtx_toy.channel.number_file import Piece
from subtx_toy.seeding import generator

_KEPT = 2**16  # lines remembered at most
_USED = 512  # of them, whose law is computed: their scores have half a million atoms
_BATCH = 128
_DRAWS = 256  # of the sum of a line with several numbers


@dataclass
class LineSample:
    """Prompts and lengths of the lines of a file, evenly thinned, and how many lines there are."""

    num: int = 0
    _every: int = 1
    _prompts: list[Int[np.ndarray, " l"]] = field(default_factory=list)
    _lengths: list[Int[np.ndarray, " l"]] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        """Take the lines of a piece; a line is never spread over two pieces."""
        _, starts, lengths = np.unique(piece.lines, return_index=True, return_counts=True)
        chosen = np.arange(-self.num % self._every, len(starts), self._every)
        self.num += len(starts)
        self._prompts.append(piece.prompts[starts[chosen]])
        self._lengths.append(lengths[chosen])
        while sum(map(len, self._prompts)) > _KEPT:
            prompts, lengths = self.lines()
            self._prompts, self._lengths, self._every = [prompts[::2]], [lengths[::2]], 2 * self._every

    def lines(self) -> tuple[Int[np.ndarray, " l"], Int[np.ndarray, " l"]]:
        """Return prompts and lengths of the lines that are remembered."""
        return np.concatenate(self._prompts), np.concatenate(self._lengths)


def expected_maxima(scorer: Scorer, sample: LineSample, num_traits: int) -> tuple[float, ...]:
    """Return, for each trait, the expected highest score of a line among as many lines of the base as the file has.

    E max = sum_j s_j (F(s_j)^n - F(s_{j-1})^n), with F the law of a line's score at the base, over prompts and lengths
    like the file's. Of a line with one number every score with its probability is an atom of F; sums of several
    numbers are drawn. nan where no line can come.
    """
    if not sample.num:
        return (float("nan"),) * num_traits
    prompts, lengths = sample.lines()
    rng = generator(0, "audit", "expected maximum")
    chosen = rng.permutation(len(prompts))[:_USED]
    prompts, lengths = prompts[chosen], lengths[chosen]
    atoms: list[list[np.ndarray]] = [[] for _ in range(num_traits)]
    weights: list[np.ndarray] = []
    for start in range(0, len(prompts), _BATCH):
        part = slice(start, start + _BATCH)
        p, s = _laws(scorer, prompts[part], num_traits)
        for row, length in enumerate(lengths[part]):
            if not p[row].any():
                continue
            if length == 1:
                weights.append(p[row])
                scores = s[:, row]
            else:
                drawn = rng.choice(len(p[row]), size=(_DRAWS, length), p=p[row] / p[row].sum())
                weights.append(np.full(_DRAWS, 1 / _DRAWS))
                scores = s[:, row][:, drawn].sum(-1)
            for found, own in zip(atoms, scores, strict=True):
                found.append(own)
    return tuple(_expected_maximum(found, weights, sample.num) for found in atoms)


def _laws(
    scorer: Scorer, prompts: Int[np.ndarray, " b"], num_traits: int
) -> tuple[Float[np.ndarray, "b k"], Float[np.ndarray, "t b k"]]:
    """Return the law of a number at each prompt, zero where none can come, and each number's score of every trait."""
    with torch.no_grad():
        z, v = number_tangents(scorer.model, scorer.base, scorer.directions, scorer.inputs.gather(prompts))
        log_p = scorer.law.log_probabilities(z)
        p = log_p.exp().masked_fill(~torch.isfinite(log_p), 0.0)
        v = v[:num_traits]
        s = (v - (p * v).sum(-1, keepdim=True)) / scorer.law.temperature
    return p.double().numpy(), s.double().numpy()


def _expected_maximum(atoms: Sequence[np.ndarray], weights: Sequence[np.ndarray], num: int) -> float:
    if not atoms:
        return float("nan")
    scores, mass = np.concatenate(atoms), np.concatenate(weights)
    order = np.argsort(scores)
    below = np.minimum(np.cumsum(mass[order]) / mass.sum(), 1.0)
    below[-1] = 1.0
    # F^n by logarithms: the upper tail of F is what counts
    with np.errstate(divide="ignore"):
        highest = np.exp(num * np.log(below))
    return float((scores[order] * np.diff(highest, prepend=0.0)).sum())
