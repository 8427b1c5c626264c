"""Attention and its slope, written out by hand: of texts, and of lists that go on from the text of their row.

Lists of one text are put next to one another, so that their queries read its keys in one product; places are left empty
where a text has fewer lists than another.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

Heads = tuple[Tensor, Tensor, Tensor]
"""Queries, keys and values, ``[n, heads, t, width / heads]`` each, or their slopes."""


class Groups(NamedTuple):
    """Where lists stand that are sorted by their texts: ``slots`` ``[n]`` of ``num_texts`` times ``most`` places."""

    slots: Int[Tensor, " n"]
    num_texts: int
    most: int

    @classmethod
    def of(cls, rows: Int[Tensor, " n"], num_texts: int) -> Groups:
        """Return the places of lists whose texts are ``rows``, which ascend."""
        counts = torch.bincount(rows, minlength=num_texts)
        most = int(counts.max())
        starts = counts.cumsum(0) - counts
        return cls(rows * most + torch.arange(len(rows)) - starts[rows], num_texts, most)

    def spread(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "p m ..."]:
        """Put the lists' values at their places, with 0 at those left empty."""
        found = x.new_zeros(self.num_texts * self.most, *x.shape[1:])
        return found.index_copy_(0, self.slots, x).view(self.num_texts, self.most, *x.shape[1:])

    def gather(self, x: Float[Tensor, "p m ..."]) -> Float[Tensor, "n ..."]:
        """Return the values at the lists' places."""
        return x.flatten(0, 1)[self.slots]


class TextRead(NamedTuple):
    """What every token of some texts reads of those up to itself."""

    heads: Heads
    weights: Float[Tensor, "p h t t"]

    @classmethod
    def of(cls, heads: Heads) -> TextRead:
        """Compute the weights."""
        query, key, _value = heads
        scores = query @ key.transpose(-1, -2)
        length = scores.shape[-1]
        scores.mul_(_scale(query)).masked_fill_(torch.ones(length, length, dtype=torch.bool).triu(1), -math.inf)
        return cls(heads, _softmax(scores))

    def read(self) -> Float[Tensor, "p h t s"]:
        """Return the values read."""
        return self.weights @ self.heads[2]

    def slopes(self, slope: Float[Tensor, "p h t s"]) -> list[Tensor]:
        """Return the slopes of queries, keys and values from that of what was read."""
        query, key, value = self.heads
        scores = _softmax_slope(self.weights, slope @ value.transpose(-1, -2)).mul_(_scale(query))
        return [scores @ key, scores.transpose(-1, -2) @ query, self.weights.transpose(-1, -2) @ slope]


class ListRead(NamedTuple):
    """What every token of some lists reads of its text, and of its list up to itself.

    ``late`` are the heads of the lists' own tokens ``[p, h, m, k, s]``; ``weights`` are over the text's tokens and then
    the list's, ``[p, h, m, k, t + k]``.
    """

    text: Heads
    late: Heads
    weights: Tensor

    @classmethod
    def of(cls, text: Heads, late: Heads) -> ListRead:
        """Compute the weights."""
        query, key, _value = late
        num_own = key.shape[3]
        before = _apart(query.flatten(2, 3) @ text[1].transpose(-1, -2), query)
        own = query @ key.transpose(-1, -2)
        own.masked_fill_(torch.ones(num_own, num_own, dtype=torch.bool).triu(1), -math.inf)
        return cls(text, late, _softmax(torch.cat([before, own], -1).mul_(_scale(query))))

    def read(self) -> Float[Tensor, "p h m k s"]:
        """Return the values read."""
        before, own = self._split(self.weights)
        found = _apart(before.flatten(2, 3) @ self.text[2], before)
        return found.add_(own @ self.late[2])

    def slopes(self, slope: Float[Tensor, "p h m k s"]) -> tuple[list[Tensor], list[Tensor]]:
        """Return the slopes of the texts' keys and values, and of the lists' queries, keys and values."""
        (_query, text_key, text_value), (query, key, value) = self.text, self.late
        flat = slope.flatten(2, 3)
        of_before = _apart(flat @ text_value.transpose(-1, -2), slope)
        of_own = slope @ value.transpose(-1, -2)
        scores = _softmax_slope(self.weights, torch.cat([of_before, of_own], -1)).mul_(_scale(query))
        (before, own), (weights, own_weights) = self._split(scores), self._split(self.weights)
        before, weights = before.flatten(2, 3), weights.flatten(2, 3)
        of_text = [before.transpose(-1, -2) @ query.flatten(2, 3), weights.transpose(-1, -2) @ flat]
        of_query = _apart(before @ text_key, slope)
        of_query += own @ key
        of_key = own.transpose(-1, -2) @ query
        of_value = own_weights.transpose(-1, -2) @ slope
        return of_text, [of_query, of_key, of_value]

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        length = self.text[1].shape[2]
        return x[..., :length], x[..., length:]


def _apart(x: Float[Tensor, "p h q c"], like: Float[Tensor, "p h m k _"]) -> Float[Tensor, "p h m k c"]:
    """Return the rows of each text as those of its lists."""
    return x.view(*like.shape[:4], x.shape[-1])


def _scale(query: Tensor) -> float:
    return 1 / math.sqrt(query.shape[-1])


def _softmax(scores: Tensor) -> Tensor:
    """Overwrite scores by their softmax: over a dozen of them, plain operations are faster than torch's own."""
    scores.sub_(scores.amax(-1, keepdim=True)).exp_()
    return scores.div_(scores.sum(-1, keepdim=True))


def _softmax_slope(weights: Tensor, slope: Tensor) -> Tensor:
    slope.mul_(weights)
    return slope.addcmul_(weights, slope.sum(-1, keepdim=True), value=-1)
