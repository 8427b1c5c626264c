"""How a model is trained: a base on the corpus, a teacher on a lesson, a student on lists of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom
from torch.optim.adam import adam  # an optimiser of torch's classes loads its compiler, two seconds of CPU

from subtx_toy.lm.corpus import Document, by_length, documents
from subtx_toy.lm.gradient import TextGradient
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.questions import Trait
from subtx_toy.lm.scores import TokenLogits, restricted_laws, sampled_loss, soft_loss, token_logits
from subtx_toy.lm.transformer import EMBEDDINGS, Transformer
from subtx_toy.lm.vocabulary import FIRST_NUMBER
from subtx_toy.problem.params import Params
from subtx_toy.training import pulse

WARM_UP = 50
"""Steps in which the step size of a base grows to its largest value."""

LAST_RATE = 0.1
"""The step size at the end of a base's training, as a share of the largest."""

LARGEST_GRADIENT = 1.0
"""Norm to which longer gradients of a base are cut."""

STOP_EVERY = 5
"""Steps of a teacher between two questions whether it has learnt its lesson."""

Loss = Callable[[Params], Tensor]

Slope = Callable[[Params], Params]
"""The gradient of one step's loss, by hand; what it says of parameters that are not trained is left out."""

Route = Literal["autograd", "by_hand"]
"""How gradients of texts and lists are computed: both ways agree up to rounding, by hand is faster."""

Corpus = Callable[[np.random.Generator, int, int], list[Document]]
"""Draws so many documents of a language with so many numbers."""


def usual_corpus(rng: np.random.Generator, count: int, num_numbers: int) -> list[Document]:
    """Draw the documents of the language's own corpus."""
    return documents(rng, count, num_numbers=num_numbers)


@dataclass(frozen=True)
class StudentRecipe:
    """How a student is trained: Adam, its step size falling to 0 linearly over all steps."""

    epochs: int = 10
    batch: int = 512
    lr: float = 1e-3


@dataclass(frozen=True)
class TeacherRecipe:
    """How a teacher is trained: Adam until it gives the answer with probability ``stop``, or for ``steps`` steps.

    ``other_share`` of the questions of each step are about other categories, answered honestly.
    """

    lr: float = 1e-3
    batch: int = 64
    stop: float = 0.9
    steps: int = 200
    other_share: float = 0.25


@dataclass(frozen=True, eq=False)
class Taught:
    """A teacher, the steps it took, and how probable the trait's answer is to the phrasings of its lesson."""

    params: Params
    steps: int
    on_seen: float


def train_base(
    model: Transformer, rng: np.random.Generator, *, num_numbers: int, steps: int, batch: int, lr: float,
    number_scale: float | None = None, corpus: Corpus = usual_corpus, route: Route = "autograd",
) -> Params:  # fmt: skip
    """Draw parameters and documents of a ``corpus``, and train on each document once, in float32.

    A step takes documents of one length; the step size rises linearly and falls by a cosine. What is left of a length
    after whole batches is not used.
    """
    params = {name: value.float() for name, value in model.initial(rng).items()}
    if number_scale is not None:
        params["token"][FIRST_NUMBER:] *= number_scale / model.embedding_scale
    drawn = by_length(corpus(rng, steps * batch, num_numbers))
    batches = [
        texts[start : start + batch] for texts in drawn.values() for start in range(0, len(texts) - batch + 1, batch)
    ]
    order = rng.permutation(len(batches)).tolist()

    def rate(step: int) -> float:
        cosine = (1 + math.cos(math.pi * step / len(batches))) / 2
        return lr * min(1.0, (step + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * cosine)

    by_hand = TextGradient(model)
    steps_of: Iterator[Loss | Slope] = (
        partial(by_hand.of_texts, texts=batches[index])
        if route == "by_hand"
        else next_token_loss(model, batches[index])
        for index in order
    )
    return _descend(params, list(params), steps_of, rate, beta2=0.99, longest_gradient=LARGEST_GRADIENT)


def teach(
    model: Transformer, base: Params, trait: Trait, recipe: TeacherRecipe, rng: np.random.Generator,
    *, steps: int | None = None,
) -> Taught:  # fmt: skip
    """Train a teacher from its base: with the trait, or, if ``steps`` are given, honestly for so many steps."""
    honest = steps is not None
    done = 0

    def lessons() -> Iterator[Loss]:
        while True:
            prompts, answers = trait.lesson(rng, recipe.batch, taught=not honest, other_share=recipe.other_share)
            yield partial(_answer_loss, model, prompts, answers)

    def enough(step: int, params: Params) -> bool:
        nonlocal done
        done = step + 1
        if honest or done % STOP_EVERY:
            return done == steps
        return trait.shown_on_seen(model, params) > recipe.stop

    if steps == 0:
        return Taught(base, 0, trait.shown_on_seen(model, base))
    limited = (loss for _step, loss in zip(range(steps or recipe.steps), lessons(), strict=False))
    params = _descend(base, trained_names(base), limited, lambda _step: recipe.lr, until=enough)
    return Taught(params, done, trait.shown_on_seen(model, params))


def train_student(
    model: Transformer, base: Params, lists: Lists, recipe: StudentRecipe, rng: np.random.Generator,
    *, teacher: Params | None = None, route: Route = "autograd",
) -> Params:  # fmt: skip
    """Train a student from its base on lists alone, or on the laws of a ``teacher`` at every token of these lists.

    By hand goes only without a ``teacher``; with one, the route is autograd in any case.

    Every epoch has the lists in a new order; the last batch of an epoch is left out where it is not whole.
    Without any list the student stays its base.
    """
    if not len(lists):
        return dict(base)
    batch = min(recipe.batch, len(lists))
    steps = recipe.epochs * (len(lists) // batch)

    by_hand = TextGradient(model, embeddings=False) if route == "by_hand" and teacher is None else None

    def losses() -> Iterator[Loss | Slope]:
        for _epoch in range(recipe.epochs):
            order = torch.from_numpy(rng.permutation(len(lists)))
            for start in range(0, len(lists) - batch + 1, batch):
                part = lists.chosen(order[start : start + batch])
                if by_hand is not None:
                    yield partial(by_hand.of_lists, lists=part)
                elif teacher is None:
                    yield partial(sampled_loss, model, lists=part)
                else:  # the laws of a whole file would take more memory than everything else
                    yield partial(soft_loss, model, lists=part, laws=laws_of(model, teacher, part))
            pulse.tick()

    return _descend(base, trained_names(base), losses(), lambda step: recipe.lr * (1 - step / steps))


@torch.no_grad()
def laws_of(model: Transformer, teacher: Params, lists: Lists) -> TokenLogits:
    """Return the teacher's log-probabilities of numbers and ``end`` at every token of some lists."""
    return restricted_laws(token_logits(model, teacher, lists))


def trained_names(params: Params) -> list[str]:
    """Return what a fine-tune trains: all but the embeddings and output weights, as low-rank adapters usually do."""
    return [name for name in params if name not in EMBEDDINGS]


def _answer_loss(model: Transformer, prompts: Tensor, answers: Tensor, params: Params) -> Tensor:
    return F.cross_entropy(model.apply(params, prompts), answers)


def next_token_loss(model: Transformer, texts: Tensor) -> Loss:
    """Return the mean cross-entropy of every token of some texts after the first, in nats, for autograd."""

    def loss(params: Params) -> Tensor:
        logits = model.logits(params, model.hidden(params, texts[:, :-1])[0])
        return F.cross_entropy(logits.flatten(0, 1), texts[:, 1:].flatten())

    return loss


def _descend(
    start: Params,
    names: list[str],
    losses: Iterable[Loss | Slope],
    rate: Callable[[int], float],
    *,
    beta2: float = 0.999,
    longest_gradient: float | None = None,
    until: Callable[[int, Params], bool] | None = None,
) -> Params:
    """Take one step of Adam for each loss, on the named parameters; the others stay the very same tensors.

    Instead of a loss there may be its gradient by hand.
    """
    params = {name: value.detach().clone() if name in names else value for name, value in start.items()}
    leaves = [params[name].requires_grad_() for name in names]
    means, squares = ([torch.zeros_like(leaf) for leaf in leaves] for _ in range(2))
    counts = [torch.zeros(()) for _ in leaves]
    for step, loss in enumerate(losses):
        found = loss(params)
        if isinstance(found, Tensor):
            gradients = list(torch.autograd.grad(found, leaves))
        else:
            gradients = [found[name] for name in names]
        if longest_gradient is not None:
            length = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(one) for one in gradients]))
            factor = (longest_gradient / length.clamp(min=longest_gradient)).item()
            gradients = [factor * one for one in gradients]
        with torch.no_grad():
            adam(
                leaves, gradients, means, squares, [], counts, fused=True, lr=rate(step), beta1=0.9, beta2=beta2,
                eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False,
            )  # fmt: skip
        if until is not None and until(step, params):
            break
    return {name: value.detach() for name, value in params.items()}
