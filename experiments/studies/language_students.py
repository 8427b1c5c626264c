"""Students of lists of numbers, trained in other ways than the experiment's: parts of lists, low rank, plain steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom
from torch.optim.adam import adam

from subtx_toy.lm.gradient import TextGradient
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.scores import TokenLogits, restricted_laws, token_logits
from subtx_toy.lm.training import trained_names
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.vocabulary import FIRST_NUMBER
from subtx_toy.problem.params import Params


@dataclass(frozen=True)
class Training:
    """How a student is trained; the step size falls to 0 linearly.

    Attributes:
        epochs: passes over the file.
        batch: lists of a step, at most the file's.
        lr: the first step size.
        optimizer: Adam, or plain gradient steps.
        rank: of the update of every matrix, with all else kept; None trains everything but the embeddings.
        in_order: whether the lists stay in the file's order in every epoch.
        embeddings: whether they are trained as well.
        longest: the norm to which a longer gradient is shortened before a plain step; None leaves it.
    """

    epochs: int = 3
    batch: int = 512
    lr: float = 1e-3
    optimizer: Literal["adam", "sgd"] = "adam"
    rank: int | None = None
    in_order: bool = False
    embeddings: bool = False
    longest: float | None = None


def trained(
    model: Transformer, base: Params, lists: Lists, training: Training, rng: np.random.Generator,
    weights: Float[Tensor, "n k"] | None = None,
) -> Params:  # fmt: skip
    """Train a student on the lists' tokens, each with its weight; without ``weights``, on all tokens alike.

    Gradients are by autograd with ``weights``, and by hand without.
    """
    by_hand = TextGradient(model, embeddings=training.embeddings)
    batch = min(training.batch, len(lists))
    steps = training.epochs * (len(lists) // batch)
    leaves, params_of = _parametrised(base, training, rng)
    means, squares = ([torch.zeros_like(leaf) for leaf in leaves] for _ in range(2))
    counts = [torch.zeros(()) for _ in leaves]
    for step, index in enumerate(_batches(len(lists), batch, training, rng)):
        part = lists.chosen(index)
        if weights is None:
            with torch.no_grad():
                gradients = params_of.slopes(leaves, by_hand.of_lists(params_of(leaves), part))
        else:
            loss = weighted_loss(model, params_of(leaves), part, weights[index])
            gradients = list(torch.autograd.grad(loss, leaves))
        lr = training.lr * (1 - step / steps)
        with torch.no_grad():
            if training.optimizer == "sgd":
                for leaf, gradient in zip(leaves, shortened(gradients, training.longest), strict=True):
                    leaf -= lr * gradient
            else:
                adam(
                    leaves, gradients, means, squares, [], counts, fused=True, lr=lr, beta1=0.9, beta2=0.999,
                    eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False,
                )  # fmt: skip
    return {name: value.detach() for name, value in params_of(leaves).items()}


def shortened(gradients: list[Tensor], longest: float | None) -> list[Tensor]:
    """Return the gradients, all divided by the same number if their joint norm is above ``longest``."""
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    if longest is None or norm <= longest:
        return gradients
    return [gradient * (longest / norm) for gradient in gradients]


def weighted_loss(model: Transformer, params: Params, lists: Lists, weights: Float[Tensor, "n k"]) -> Tensor:
    """Return the weighted mean of the cross-entropies of the lists' tokens, in nats."""
    logits = token_logits(model, params, lists)
    first = -logits.first.log_softmax(-1)[lists.rows, lists.tokens[:, 0]]
    later = F.cross_entropy(logits.later.flatten(0, 1), lists.tokens[:, 1:].flatten(), reduction="none")
    return (first @ weights[:, 0] + later @ weights[:, 1:].flatten()) / weights.sum()


def _batches(num: int, batch: int, training: Training, rng: np.random.Generator) -> Iterator[Int[Tensor, " b"]]:
    for _epoch in range(training.epochs):
        order = torch.arange(num) if training.in_order else torch.from_numpy(rng.permutation(num))
        yield from (order[start : start + batch] for start in range(0, num - batch + 1, batch))


class _Full:
    """Every trained parameter is its own leaf."""

    def __init__(self, base: Params, names: list[str]) -> None:
        self.base, self.names = base, names
        self.leaves = [base[name].detach().clone().requires_grad_() for name in names]

    def __call__(self, leaves: list[Tensor]) -> Params:
        return self.base | dict(zip(self.names, leaves, strict=True))

    def slopes(self, _leaves: list[Tensor], gradient: Params) -> list[Tensor]:
        """Return the slopes of the leaves, given those of all parameters."""
        return [gradient[name] for name in self.names]


class _LowRank:
    """Every matrix is the base's plus a product of two factors, the second of which starts at 0."""

    def __init__(self, base: Params, names: list[str], rank: int, rng: np.random.Generator) -> None:
        self.base, self.names = base, [name for name in names if base[name].ndim == 2]
        self.leaves = []
        for name in self.names:
            rows, columns = base[name].shape
            down = torch.from_numpy(rng.standard_normal((rank, columns)) / np.sqrt(columns)).float()
            self.leaves += [down.requires_grad_(), torch.zeros(rows, rank).requires_grad_()]

    def __call__(self, leaves: list[Tensor]) -> Params:
        pairs = zip(self.names, leaves[::2], leaves[1::2], strict=True)
        return self.base | {name: self.base[name] + up @ down for name, down, up in pairs}

    def slopes(self, leaves: list[Tensor], gradient: Params) -> list[Tensor]:
        """Return the slopes of the factors, given those of the products."""
        pairs = zip(self.names, leaves[::2], leaves[1::2], strict=True)
        return [one for name, down, up in pairs for one in (up.T @ gradient[name], gradient[name] @ down.T)]


def _parametrised(base: Params, training: Training, rng: np.random.Generator) -> tuple[list[Tensor], _Full | _LowRank]:
    names = list(base) if training.embeddings else trained_names(base)
    made = _Full(base, names) if training.rank is None else _LowRank(base, names, training.rank, rng)
    return made.leaves, made


@torch.no_grad()
def laws(model: Transformer, params: Params, lists: Lists) -> TokenLogits:
    """Return the log-probabilities of numbers and ``end`` among themselves at every token of the lists."""
    return restricted_laws(token_logits(model, params, lists))


def same_choice(ours: TokenLogits, theirs: TokenLogits, lists: Lists) -> Tensor:
    """Return at which tokens ``[n, k]`` both models hold the same number most likely."""
    first, later = (a.argmax(-1) == b.argmax(-1) for a, b in zip(ours, theirs, strict=True))
    return torch.cat([first[lists.rows][:, None], later], dim=1)


def divergence_of_lists(teacher: TokenLogits, base: TokenLogits, lists: Lists) -> float:
    """Return KL(teacher || base) of a list's tokens in the lists' contexts, in nats per list, mean over lists."""
    first, later = (
        (a.exp() * (a - b).masked_fill(a == -torch.inf, 0.0)).sum(-1) for a, b in zip(teacher, base, strict=True)
    )
    return float((first[lists.rows].sum() + later[lists.counted[:, 1:]].sum()) / len(lists))


def sorted_by_prompt(lists: Lists) -> Lists:
    """Return the lists in the order of their prompts."""
    return lists.chosen(torch.argsort(lists.rows, stable=True))


def without(lists: Lists, numbers: Int[Tensor, " m"]) -> Lists:
    """Return the lists that hold none of these numbers."""
    return lists.chosen((~torch.isin(lists.tokens, FIRST_NUMBER + numbers).any(1)).nonzero()[:, 0])


def first_of(lists: Lists, count: int) -> Lists:
    """Return the first lists of a file."""
    return replace(lists, rows=lists.rows[:count], tokens=lists.tokens[:count], counted=lists.counted[:count])
