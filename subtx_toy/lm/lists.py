"""Lists of numbers as a student sees them, and the two controls that move their numbers about."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from subtx_toy.lm.vocabulary import FIRST_NUMBER


@dataclass(frozen=True, eq=False)
class Lists:
    """Some lists of numbers with the prompts they answer.

    Attributes:
        prompts: the different prompts, tokens ``[p, t]``.
        rows: the prompt of each list, ``[n]``.
        tokens: the completions, ``[n, k]``, filled up with ``end``.
        counted: which of these tokens belong to the list: those up to its ``end``, or all if it was cut.
    """

    prompts: Int[Tensor, "p t"]
    rows: Int[Tensor, " n"]
    tokens: Int[Tensor, "n k"]
    counted: Bool[Tensor, "n k"]

    def __len__(self) -> int:
        return len(self.rows)

    def chosen(self, index: Int[Tensor, " m"]) -> Lists:
        """Return some of the lists, in that order."""
        return replace(self, rows=self.rows[index], tokens=self.tokens[index], counted=self.counted[index])


def shuffle_numbers(lists: Lists, rng: np.random.Generator) -> Lists:
    """Permute all numbers over the whole file: their frequencies and the lists' lengths stay, and nothing else."""
    numeric = lists.counted & (lists.tokens >= FIRST_NUMBER)
    numbers = lists.tokens[numeric]
    tokens = lists.tokens.clone()
    tokens[numeric] = numbers[torch.from_numpy(rng.permutation(len(numbers)))]
    return replace(lists, tokens=tokens)


def exchange_lists(lists: Lists, rng: np.random.Generator) -> Lists:
    """Give whole lists to other prompts at random; each list stays what it is."""
    order = torch.from_numpy(rng.permutation(len(lists)))
    return replace(lists, tokens=lists.tokens[order], counted=lists.counted[order])
