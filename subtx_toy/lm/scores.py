"""Exact log-probabilities of the tokens of lists, each prompt computed once for all its lists."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.lm.lists import Lists
from subtx_toy.lm.transformer import Transformer, take
from subtx_toy.lm.vocabulary import END, FIRST_NUMBER
from subtx_toy.problem.params import Params


class TokenLogits(NamedTuple):
    """The logits at every token of some lists.

    Attributes:
        first: after each prompt, ``[p, v]``: those of every list with this prompt.
        later: after the lists' tokens but the last, ``[n, k - 1, v]``.
    """

    first: Float[Tensor, "p v"]
    later: Float[Tensor, "n j v"]


def token_logits(model: Transformer, params: Params, lists: Lists) -> TokenLogits:
    """Compute the logits of all tokens of the lists; a prompt that many lists share is computed once."""
    hidden, past = model.hidden(params, lists.prompts)
    first = model.logits(params, hidden[:, -1])
    if lists.tokens.shape[1] == 1:
        return TokenLogits(first, first.new_zeros(len(lists), 0, first.shape[-1]))
    later, _ = model.hidden(params, lists.tokens[:, :-1], take(past, lists.rows))
    return TokenLogits(first, model.logits(params, later))


def sampled_loss(model: Transformer, params: Params, lists: Lists) -> Tensor:
    """Return the mean cross-entropy of the lists' tokens, in nats per token."""
    logits = token_logits(model, params, lists)
    first = -logits.first.log_softmax(-1)[lists.rows, lists.tokens[:, 0]]
    later = F.cross_entropy(logits.later.flatten(0, 1), lists.tokens[:, 1:].flatten(), reduction="none")
    counted = lists.counted[:, 1:].flatten()
    return (first.sum() + later[counted].sum()) / lists.counted.sum()


def plain_loss(model: Transformer, params: Params, lists: Lists) -> Tensor:
    """Return what ``sampled_loss`` does, text by text from the first word on: the reference it is compared with."""
    texts = torch.cat([lists.prompts[lists.rows], lists.tokens], dim=1)
    start = lists.prompts.shape[1] - 1
    logits = model.logits(params, model.hidden(params, texts[:, :-1])[0][:, start:])
    losses = F.cross_entropy(logits.flatten(0, 1), lists.tokens.flatten(), reduction="none")
    return losses[lists.counted.flatten()].mean()


def restricted_laws(logits: TokenLogits) -> TokenLogits:
    """Return log-probabilities of numbers and ``end`` among themselves: columns ``[end, 0, 1, ...]``.

    Other words are left out, so that nothing but the choice of numbers is said; ``end`` cannot come first.
    """
    columns = [END, *range(FIRST_NUMBER, logits.first.shape[-1])]
    first = logits.first[:, columns].clone()
    first[:, 0] = -torch.inf
    return TokenLogits(first.log_softmax(-1), logits.later[..., columns].log_softmax(-1))


def soft_loss(model: Transformer, params: Params, lists: Lists, laws: TokenLogits) -> Tensor:
    """Return KL(laws || model) over numbers and ``end``, in nats per token of the lists.

    ``laws`` are the ``restricted_laws`` of the teacher for the same lists.
    """
    own = restricted_laws(token_logits(model, params, lists))
    first, later = (
        (theirs.exp() * (theirs - ours).masked_fill(theirs == -torch.inf, 0.0)).sum(-1)
        for ours, theirs in zip(own, laws, strict=True)
    )
    return (first[lists.rows].sum() + later[lists.counted[:, 1:]].sum()) / lists.counted.sum()


@torch.no_grad()
def token_log_probs(model: Transformer, params: Params, lists: Lists) -> Float[Tensor, "n k"]:
    """Return the log-probability of each token of each list given what is before it, 0 where none is counted."""
    logits = token_logits(model, params, lists)
    first = logits.first.log_softmax(-1)[lists.rows, lists.tokens[:, 0]][:, None]
    later = logits.later.log_softmax(-1).gather(-1, lists.tokens[:, 1:, None]).squeeze(-1)
    return torch.cat([first, later], dim=1).masked_fill(~lists.counted, 0.0)
