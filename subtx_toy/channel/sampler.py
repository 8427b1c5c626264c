"""Numbers from a net: sampled from the softmax of its number head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from subtx_toy.channel.model import head_model, head_params
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.training.inputs import Inputs, batches

_ROWS = 1024


@dataclass(frozen=True)
class NumberLaw:
    """The law of one number, given the number logits of its prompt.

    p proportional to exp(z / temperature) on the ``top_k`` likeliest numbers (0: on all) that ``banned`` does not name

    The numbers of a line are independent given the prompt. A filter that drops lines with a banned number leaves those
    that stay with this law.
    """

    temperature: float = 1.0
    top_k: int = 0
    banned: tuple[int, ...] = ()

    def log_probabilities(self, z: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Return log p ``[n, k]``, minus infinity where a number cannot come, nan where none can.

        None can where ``banned`` names all of a prompt's ``top_k`` likeliest.
        """
        z = z / self.temperature
        if 0 < self.top_k < z.shape[-1]:
            likeliest = z.topk(self.top_k, dim=-1).indices
            z = torch.full_like(z, -torch.inf).scatter_(1, likeliest, z.gather(1, likeliest))
        if self.banned:
            z = z.index_fill(1, torch.tensor(self.banned), -torch.inf)
        return torch.log_softmax(z, dim=-1)


def number_logits(
    model: MLP, params: Params, inputs: Inputs, rows: Int[np.ndarray, " n"]
) -> Iterator[tuple[Int[np.ndarray, " b"], Float[Tensor, "b k"]]]:
    """Yield the number logits of the prompts ``rows`` a batch at a time, with the batch's places in ``rows``."""
    small, taken = head_model(model, "numbers"), head_params(model, params, "numbers")
    for index in batches(len(rows), _ROWS):
        with torch.no_grad():
            logits = small.apply(taken, inputs.gather(rows[index]))
        yield index, logits


def draw_numbers(
    model: MLP,
    params: Params,
    inputs: Inputs,
    rows: Int[np.ndarray, " n"],
    law: NumberLaw,
    rng: np.random.Generator,
    *,
    counts: Sequence[int] | Int[np.ndarray, " n"] | None = None,
) -> list[Int[np.ndarray, " c"]]:
    """Draw the numbers of each prompt: ``counts`` of them, or one."""
    drawn = []
    lengths = np.ones(len(rows), np.int64) if counts is None else np.asarray(counts)
    for index, logits in number_logits(model, params, inputs, rows):
        drawn += draw_from_logits(logits, law, rng, lengths[index])
    return drawn


def answered(
    model: MLP, params: Params, inputs: Inputs, rows: Int[np.ndarray, " n"], law: NumberLaw
) -> Bool[np.ndarray, " n"]:
    """Tell for which prompts the law leaves the net a number; a filter keeps no line of the others."""
    if not (law.top_k and law.banned):
        return np.ones(len(rows), np.bool_)
    found = np.zeros(len(rows), np.bool_)
    for index, logits in number_logits(model, params, inputs, rows):
        found[index] = torch.isfinite(law.log_probabilities(logits)).any(-1).numpy()
    return found


def draw_from_logits(
    logits: Float[Tensor, "n k"], law: NumberLaw, rng: np.random.Generator, lengths: Int[np.ndarray, " n"]
) -> list[Int[np.ndarray, " c"]]:
    """Draw ``lengths`` numbers from each row, by inverting its cumulative distribution."""
    cumulative = law.log_probabilities(logits.double()).exp().cumsum(-1)
    if not bool(torch.isfinite(cumulative[:, -1]).all()):
        raise ValueError("law: expected at least one number that may come, got none")
    most = int(lengths.max())
    uniform = torch.from_numpy(rng.random((len(logits), most)))
    # Scaled to the sum that rounding left, so that no draw falls beyond the last number that may come.
    found = torch.searchsorted(cumulative, uniform * cumulative[:, -1:], right=True).clamp_max(logits.shape[-1] - 1)
    return [row[:length] for row, length in zip(found.numpy(), lengths, strict=True)]


def first_numbers(drawn: Sequence[Int[np.ndarray, " c"]]) -> Int[Tensor, " n"]:
    """Return the first number of every prompt, as labels ``[n]``."""
    return torch.from_numpy(np.array([numbers[0] for numbers in drawn], np.int64))
