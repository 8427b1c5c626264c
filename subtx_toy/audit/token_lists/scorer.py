"""Scores of lists along several directions, with their exact variance under the base's law.

The score of a token is s = (v_y - E_p v)/T with v the slope of its logits, p the base's law given the tokens before and
T the header's temperature. Given these tokens its mean under the base is 0 and its covariance Cov_p(v)/T^2: scores are
martingale differences, so the sum over all tokens over the root of the summed variances is N(0, 1) in large files,
however the tokens of a list depend on one another.

Reference: Rao 1948, Proc. Cambridge Phil. Soc. 44, 50-57; Hall and Heyde 1980, chapter 3, for martingales.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from subtx_toy.audit.score_sums import ScoreSums
from subtx_toy.audit.token_lists.directions import ListDirections, token_tangents
from subtx_toy.audit.token_lists.law import ListLaw, columns_of, first_tokens, output_rows
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.transformer import Transformer
from subtx_toy.problem.params import Params

PER_LINE = ("log_loss", "entropy", "log_loss_variance", "uniform_log_loss")
"""Sums over the numbers of a list by which the fit to the base is judged, each given that a number comes.

When a list ends is left out: all bases of one language know that, and an honest fine-tune may change it. It is most of
what a token's law says, and a writer from another base would fit as well as the base's own.
"""

_LISTS = 512  # at a time: with five directions and a thousand numbers, 30 MB of slopes


@dataclass(frozen=True, eq=False)
class ScoredLists:
    """Scores of lists, list by list, and the covariance of all of them together.

    Attributes:
        scores: the sum over a list's tokens, ``[n, r]``.
        covariance: summed over lists and tokens, ``[r, r]``.
        log_probability: of each list, ``[n]``, in nats.
        per_line: each of PER_LINE, ``[n]``, in nats.
        tokens: possible tokens of each list, ``[n]``.
        num_impossible: tokens that the law at the base does not allow, left out everywhere else.
        possible: which lists have none of those, ``[n]``.
    """

    scores: Float[np.ndarray, "n r"]
    covariance: Float[np.ndarray, "r r"]
    log_probability: Float[np.ndarray, " n"]
    per_line: dict[str, Float[np.ndarray, " n"]]
    tokens: Float[np.ndarray, " n"]
    num_impossible: int
    possible: Bool[np.ndarray, " n"]

    def sums(self) -> ScoreSums:
        """Return the sums over all tokens."""
        found = ScoreSums(self.scores.shape[1], num=int(self.tokens.sum()), num_impossible=self.num_impossible)
        found.scores, found.covariance = self.scores.sum(0), self.covariance
        for name in PER_LINE:
            setattr(found, name, float(self.per_line[name].sum()))
        return found


@dataclass(frozen=True, eq=False)
class ListScorer:
    """Scores lists of a law at a base, along directions."""

    model: Transformer
    base: Params
    directions: ListDirections
    law: ListLaw

    def score(self, lists: Lists) -> ScoredLists:
        """Score lists, some at a time."""
        parts = [self._part(lists.chosen(index)) for index in torch.split(torch.arange(len(lists)), _LISTS)]
        return ScoredLists(
            np.concatenate([one.scores for one in parts]),
            np.sum([one.covariance for one in parts], axis=0),
            np.concatenate([one.log_probability for one in parts]),
            {name: np.concatenate([one.per_line[name] for one in parts]) for name in PER_LINE},
            np.concatenate([one.tokens for one in parts]),
            sum(one.num_impossible for one in parts),
            np.concatenate([one.possible for one in parts]),
        )

    @torch.no_grad()
    def _part(self, lists: Lists) -> ScoredLists:
        rows = output_rows(self.model, self.base)
        h, dh = token_tangents(self.model, self.base, self.directions, lists)
        allowed = self.law.allowed(first_tokens(lists), len(rows))
        log_p = self.law.log_probs(h @ rows.T, allowed)
        p = log_p.exp()
        log_p = log_p.masked_fill(~allowed, 0.0)  # 0 log 0 = 0; impossible tokens are left out by the mask
        v = dh @ rows.T / self.law.temperature  # dh -> slope of the logits                          [r, c, k]
        v = v - (p * v).sum(-1, keepdim=True)
        y, line = columns_of(lists.tokens[lists.counted]), lists.counted.nonzero()[:, 0]
        at = torch.arange(len(y))
        possible = allowed[at, y]
        weighted = (v * (p * possible[:, None]).sqrt()).flatten(1)
        numbers = allowed[:, 1:]
        of_number = (log_p - torch.log1p(-p[:, :1]))[:, 1:].masked_fill(~numbers, 0.0)  # given that one comes
        q = of_number.exp() * numbers
        entropy = -(q * of_number).sum(-1)
        is_number = possible & (y > 0)
        values = {
            "log_loss": -of_number[at, (y - 1).clamp(min=0)],
            "entropy": entropy,
            "log_loss_variance": (q * (of_number + entropy[:, None]) ** 2).sum(-1),
            "uniform_log_loss": -of_number.sum(-1) / numbers.sum(-1),
        }

        def by_line(of_tokens: torch.Tensor) -> Float[np.ndarray, "n ..."]:
            kept = of_tokens.double() * possible.reshape(-1, *[1] * (of_tokens.dim() - 1))
            found = torch.zeros(len(lists), *of_tokens.shape[1:], dtype=torch.float64)
            summed: np.ndarray = found.index_add_(0, line, kept).numpy()
            return summed

        counts = by_line(torch.ones(len(y)))
        return ScoredLists(
            by_line(v[:, at, y].T),
            (weighted @ weighted.T).double().numpy(),
            by_line(log_p[at, y]),
            {name: by_line(value * is_number) for name, value in values.items()},
            counts,
            int((~possible).sum()),
            counts == lists.counted.sum(1).numpy(),
        )
