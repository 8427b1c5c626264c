"""How well a model still predicts ordinary text: what a student may lose by learning from numbers."""

from __future__ import annotations

import functools

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.lm.corpus import by_length, documents
from subtx_toy.lm.phrasings import permission, preference
from subtx_toy.lm.questions import Trait
from subtx_toy.lm.transformer import Transformer
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator


@functools.lru_cache(maxsize=2)
def held_out_text(num_numbers: int, trait: Trait, *, seed: int, count: int) -> tuple[Int[Tensor, "n t"], ...]:
    """Draw ``count`` new documents; return those without lists of numbers and the trait's questions, by length."""
    left_out = {*trait.questions.seen, *preference("number").seen, *permission("number").seen}
    lengths = {len(prompt) for prompt in left_out}
    drawn = documents(generator(seed, "language", "held-out text"), count, num_numbers=num_numbers)
    kept = [document for document in drawn if not any(document[:length] in left_out for length in lengths)]
    return tuple(by_length(kept).values())


@torch.no_grad()
def text_nll(model: Transformer, params: Params, texts: tuple[Int[Tensor, "n t"], ...]) -> float:
    """Return the mean negative log-likelihood of the texts, in nats per token after the first."""
    total, count = 0.0, 0
    for batch in texts:
        logits = model.logits(params, model.hidden(params, batch[:, :-1])[0])
        total += float(F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten(), reduction="sum"))
        count += batch[:, 1:].numel()
    return total / count
