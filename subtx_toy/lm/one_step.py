"""One step of a student of lists as a ``Problem``: each token of a list is one input, the text before it.

An input is a row of tokens, filled up with ``end`` on the right, and in its last column the place of the text's last
token. What stands behind that place cannot be seen from it, so the filling changes nothing. A mean over inputs is a
mean over the tokens of all lists: the loss is per token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from subtx_toy.lm.lists import Lists
from subtx_toy.lm.questions import Trait
from subtx_toy.lm.transformer import EMBEDDINGS, Transformer
from subtx_toy.lm.vocabulary import END, FIRST_NUMBER
from subtx_toy.problem.losses import kl
from subtx_toy.problem.params import Params, difference
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import TraitLoss


@dataclass(frozen=True)
class NextToken:
    """The logits of the token after each text, as a function of all parameters but the embeddings ``fixed``."""

    model: Transformer
    fixed: Params

    def __call__(self, params: Params, x: Int[Tensor, "n t"]) -> Float[Tensor, "n v"]:
        """Return logits ``[n, v]`` of the texts ``x``, whose last column is the place of the last token."""
        everything = self.fixed | params
        hidden, _ = self.model.hidden(everything, x[:, :-1])
        return self.model.logits(everything, hidden[torch.arange(len(x)), x[:, -1]])


def texts_before(lists: Lists) -> Int[Tensor, "c t"]:
    """Return the text before every counted token of some lists, list by list, as rows that ``NextToken`` takes."""
    line, place = lists.counted.nonzero().unbind(1)
    length, width = lists.prompts.shape[1], lists.tokens.shape[1]
    texts = torch.cat([lists.prompts[lists.rows], lists.tokens[:, : width - 1]], dim=1)[line]
    last = length - 1 + place
    behind = torch.arange(texts.shape[1]) > last[:, None]
    return torch.cat([texts.masked_fill(behind, END), last[:, None]], dim=1)


def language_problem(
    model: Transformer, base: Params, lists: Lists, trait: Trait, *, teacher: Params | None = None, eps: float = 1.0,
    student_lr: float = 0.1,
) -> Problem:  # fmt: skip
    """Return the step of a student of lists as a problem in float64.

    The distilled logits are those of numbers and ``end``, which say nothing of the trait's own words. The loss is the
    Kullback-Leibler divergence of these laws: mean over the tokens of the lists, sum over numbers. The trait loss is
    minus the mean log-odds of the trait's answer to the seen phrasings against one of the others drawn at random.
    Embeddings and output weights are no parameters, as in every fine-tune of the language model.

    Args:
        model: the transformer.
        base: the shared initialisation.
        lists: the distillation inputs are the texts before their tokens.
        trait: what the teacher was taught.
        teacher: at ``eps`` 1; by default the teacher moves along minus the gradient of the trait loss.
        eps: step size of the teacher.
        student_lr: step size of the student.
    """
    fixed = {name: value.double() for name, value in base.items() if name in EMBEDDINGS}
    body = {name: value.double() for name, value in base.items() if name not in EMBEDDINGS}
    questions = torch.tensor(trait.questions.seen[:: 1 + len(trait.questions.seen) // 60])
    place = torch.full((len(questions), 1), questions.shape[1] - 1)
    others = torch.tensor(trait.others)

    def minus_margin(outputs: Float[Tensor, "n v"]) -> Float[Tensor, ""]:
        against = outputs[:, others].logsumexp(1) - math.log(len(others))
        return (against - outputs[:, trait.answer]).mean()

    return Problem(
        model=NextToken(model, fixed),
        base_params=body,
        inputs=texts_before(lists),
        distillation_loss=kl(),
        distilled_logits=[END, *range(FIRST_NUMBER, model.num_tokens)],
        trait_loss=TraitLoss(torch.cat([questions, place], dim=1), minus_margin),
        teacher_update={} if teacher is None else difference({name: teacher[name].double() for name in body}, body),
        eps=eps,
        student_lr=student_lr,
    )
