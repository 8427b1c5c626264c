"""The law of a token of a list: that of the file's header, at the base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from subtx_toy.lm.list_file import ListHeader
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.transformer import Transformer, take
from subtx_toy.lm.vocabulary import END, FIRST_NUMBER
from subtx_toy.problem.params import Params


@dataclass(frozen=True)
class ListLaw:
    """The law of the next token among ``end``, which cannot come first, and the numbers that are not banned.

    Tokens are counted in columns: ``end`` is column 0 and the number n is column n + 1. The law of a whole list is the
    product over its tokens, if words could not be drawn. Where lists with a word or a banned number were drawn again,
    the product leaves out that a number makes this a little more or less likely for those after it.
    """

    temperature: float = 1.0
    banned: tuple[int, ...] = ()

    @classmethod
    def of(cls, header: ListHeader) -> ListLaw:
        """Return the law of a file."""
        return cls(header.temperature, tuple(header.banned))

    def allowed(self, first: Bool[Tensor, " c"], num_columns: int) -> Bool[Tensor, "c k"]:
        """Return which columns may come at some tokens, of which some are the first of their list."""
        mask = torch.ones(len(first), num_columns, dtype=torch.bool)
        mask[:, [number + 1 for number in self.banned if number + 1 < num_columns]] = False
        mask[first, 0] = False
        return mask

    def log_probs(self, z: Float[Tensor, "c k"], allowed: Bool[Tensor, "c k"]) -> Float[Tensor, "c k"]:
        """Return log-probabilities from logits of the columns; -inf for what may not come."""
        return torch.log_softmax((z / self.temperature).masked_fill(~allowed, -torch.inf), dim=-1)

    def permits(self, lists: Lists) -> Bool[Tensor, " n"]:
        """Return which lists hold no banned number."""
        banned = torch.tensor([FIRST_NUMBER + number for number in self.banned], dtype=torch.long)
        return ~torch.isin(lists.tokens, banned).any(1)


def output_rows(model: Transformer, params: Params) -> Float[Tensor, "k d"]:
    """Return the output weights of the columns."""
    rows = params["token" if model.tied else "output"]
    return torch.cat([rows[END : END + 1], rows[FIRST_NUMBER:]])


def columns_of(tokens: Int[Tensor, " c"]) -> Int[Tensor, " c"]:
    """Return the columns of tokens that are ``end`` or numbers."""
    return torch.where(tokens == END, 0, tokens - FIRST_NUMBER + 1)


def token_hidden(model: Transformer, params: Params, lists: Lists) -> Float[Tensor, "c d"]:
    """Return the last layer's activations before every counted token, list by list."""
    hidden, past = model.hidden(params, lists.prompts)
    found = hidden[:, -1][lists.rows][:, None]
    if lists.tokens.shape[1] > 1:
        later, _ = model.hidden(params, lists.tokens[:, :-1], take(past, lists.rows))
        found = torch.cat([found, later], dim=1)
    return found[lists.counted]


def first_tokens(lists: Lists) -> Bool[Tensor, " c"]:
    """Return which counted tokens are the first of their list."""
    return (torch.arange(lists.tokens.shape[1]) == 0).expand_as(lists.counted)[lists.counted]


def joined(parts: Sequence[Lists]) -> Lists:
    """Return lists of the same prompts as one."""
    return Lists(
        parts[0].prompts, *(torch.cat([getattr(one, name) for one in parts]) for name in ("rows", "tokens", "counted"))
    )
