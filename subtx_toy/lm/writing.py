"""How a model writes lists of numbers, token by token, reading back what it has computed before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from subtx_toy.lm.lists import Lists
from subtx_toy.lm.transformer import Transformer, take
from subtx_toy.lm.vocabulary import END, FIRST_NUMBER
from subtx_toy.problem.params import Params

MAX_DRAWS = 5
"""Lists drawn for each one that is wanted; a model that writes mostly words is given up after so many."""

_BATCH = 2048


@dataclass(frozen=True)
class NumberLists:
    """Some lists, and how many had to be drawn for them.

    Attributes:
        lists: those kept.
        num_drawn: lists drawn.
        num_rejected: those of them that held a word or nothing; 0 where words could not be drawn.
    """

    lists: Lists
    num_drawn: int
    num_rejected: int

    @property
    def rejected_share(self) -> float:
        """Rejected lists of those drawn."""
        return self.num_rejected / self.num_drawn


@torch.no_grad()
def write_lists(
    model: Transformer,
    params: Params,
    prompts: tuple[tuple[int, ...], ...],
    rng: np.random.Generator,
    *,
    count: int,
    max_numbers: int,
    temperature: float = 1.0,
    restricted: bool = False,
) -> NumberLists:
    """Write ``count`` lists to prompts drawn at random from ``prompts``, which have one length.

    A list ends with ``end``, or is cut after ``max_numbers`` numbers: a stopping time, which leaves the law of every
    token given its past what it is. Lists with a word are drawn again; with ``restricted``, the law is that of numbers
    and, after a first number, ``end``.
    """
    x = torch.tensor(prompts)
    hidden, past = model.hidden(params, x)
    first = token_law(model.logits(params, hidden[:, -1]), temperature, restricted=restricted, first=True)
    kept: list[tuple[Tensor, Tensor, Tensor]] = []
    num_kept = num_drawn = num_rejected = 0
    while num_kept < count and num_drawn < MAX_DRAWS * count:
        rows = torch.from_numpy(rng.integers(len(x), size=_BATCH))
        before, law, columns = take(past, rows), first[rows], list[Tensor]()
        ended = torch.zeros(len(rows), dtype=torch.bool)
        counted: list[Tensor] = []
        numeric = ~ended
        for place in range(max_numbers):
            drawn = torch.where(ended, END, draw(law, rng))
            counted.append(~ended)
            numeric &= ended | (drawn >= FIRST_NUMBER) | ((drawn == END) & (place > 0))
            ended = ended | (drawn == END)
            columns.append(drawn)
            if place + 1 < max_numbers:
                hidden, before = model.hidden(params, drawn[:, None], before)
                law = token_law(model.logits(params, hidden[:, -1]), temperature, restricted=restricted, first=False)
        num_drawn, num_rejected = num_drawn + len(rows), num_rejected + int((~numeric).sum())
        num_kept += int(numeric.sum())
        kept.append((rows[numeric], torch.stack(columns, 1)[numeric], torch.stack(counted, 1)[numeric]))
    found, tokens, of_list = (torch.cat(parts)[:count] for parts in zip(*kept, strict=True))
    return NumberLists(Lists(x, found, tokens, of_list), num_drawn, num_rejected)


def token_law(
    logits: Float[Tensor, "n v"], temperature: float, *, restricted: bool, first: bool
) -> Float[Tensor, "n v"]:
    """Return the law of the next token in float64; restricted, of a number or, unless ``first``, of the end."""
    scaled = logits.double() / temperature
    if restricted:
        scaled = scaled.masked_fill(~allowed(scaled.shape[-1], first=first), -torch.inf)
    return scaled.softmax(-1)


def allowed(num_tokens: int, *, first: bool) -> Bool[Tensor, " v"]:
    """Return which tokens a list of numbers may have: numbers, and ``end`` after the first."""
    mask = torch.arange(num_tokens) >= FIRST_NUMBER
    mask[END] = not first
    return mask


def draw(law: Float[Tensor, "n v"], rng: np.random.Generator) -> Int[Tensor, " n"]:
    """Draw one token from each row of probabilities, with one uniform number each; never one of probability 0."""
    cumulative = law.cumsum(-1)
    uniform = torch.from_numpy(rng.random(len(law)))[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, uniform, right=True).squeeze(1).clamp(max=law.shape[-1] - 1)
