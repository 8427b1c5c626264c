"""Hypothesis strategies for small one-step problems; each builds what it promises, nothing is filtered.

A hypothesis of the claims is a keyword: True builds it in, False builds its opposite in, None leaves it open. What
cannot be built raises ``InvalidArgument`` when a value is drawn. Values shrink to the smallest problem there is.
"""

from __future__ import annotations

import dataclasses
import functools
import warnings
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.losses import Loss, kl, squared_error
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import cosine_distance, probability_squared_error, reverse_kl
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.testing.assertions import assert_aligned_to_first_order, assert_ggn_matches_dense
from subtx_toy.testing.registration import register_strategies
from subtx_toy.testing.specs import TEMPERATURES, Draw, activations, problem_specs, require_sizes
from subtx_toy.theory.cosine import lambda_max

__all__ = ["build_problem", "imitation_losses", "mlps", "problem_specs", "problems"]


def imitation_losses(*, softmax: bool | None = None) -> st.SearchStrategy[Loss]:
    """Draw a distillation loss on logits, three times continuously differentiable and least where both agree.

    Args:
        softmax: whether it compares softmaxes, and so does not see a constant added to all logits.

    Shrinks to squared error, or to kl at temperature 1. The cosine distance is smooth away from zero logits only.
    """
    on_logits = st.one_of(st.builds(squared_error), st.builds(cosine_distance))
    tempered = (kl, reverse_kl, probability_squared_error)
    on_softmaxes = st.one_of([st.builds(loss, st.sampled_from(TEMPERATURES)) for loss in tempered])
    if softmax is None:
        return on_logits | on_softmaxes
    return on_softmaxes if softmax else on_logits


@st.composite
def mlps(  # noqa: D417
    draw: Draw, *, smooth: bool | None = True, min_hidden: int = 0, max_hidden: int = 3, max_width: int = 6
) -> MLP:
    """Draw the shape of a perceptron with ``min_hidden`` to ``max_hidden`` hidden layers, all widths >= 1.

    Args:
        smooth: whether its activation is twice continuously differentiable.

    Shrinks to one input, no hidden layer, one class logit and one auxiliary logit.
    """
    require_sizes(max_width=max_width, hidden=(min_hidden, max_hidden))
    widths = st.integers(1, max_width)
    hidden = draw(st.lists(widths, min_size=min_hidden, max_size=max_hidden))
    num_classes = draw(widths)
    activation = ACTIVATIONS[draw(st.sampled_from(activations(smooth)))]
    return MLP((draw(widths), *hidden, num_classes + draw(widths)), activation, num_classes=num_classes)


@st.composite
def problems(  # noqa: D417
    draw: Draw,
    *,
    smooth: bool | None = True,
    degenerate: bool | None = None,
    affine_on_ray: bool | None = None,
    trait_step: bool | None = None,
    gentle: bool = False,
    distillation_losses: st.SearchStrategy[Loss] | None = None,
) -> Problem:
    """Draw a problem, of a ``problem_specs`` of the same keywords; small, in float64.

    Args:
        smooth, degenerate, affine_on_ray, trait_step: as there.
        gentle: ``student_lr`` is 1 / (2 lambda_max) of G, so the student moves toward the teacher for small eps.
        distillation_losses: draws the distillation loss, by default squared error or kl; ``degenerate`` and
            ``gentle`` are built for those two, so neither goes with it. Several logits are distilled then, since the
            cosine of one logit is constant, and what its rounding leaves of it is no loss.
    """
    pay_first_calls()
    if distillation_losses is not None and (degenerate is not None or gentle):
        raise InvalidArgument("distillation_losses: expected None with degenerate or gentle, which are built for kl")
    specs = problem_specs(
        smooth=smooth,
        degenerate=degenerate,
        affine_on_ray=affine_on_ray,
        trait_step=trait_step,
        several_logits=distillation_losses is not None,
    )
    changes: dict[str, st.SearchStrategy[Any]] = {"gentle": st.just(True)} if gentle else {}
    if distillation_losses is not None:
        changes["loss"] = distillation_losses
    problem: Problem = draw(st.builds(build_problem, specs, **changes))
    return problem


@functools.cache
def pay_first_calls() -> None:
    """Load what torch loads at the first product with a Jacobian, a second or so, while a value is drawn.

    hypothesis does not count that time, and counts the test's own against its deadline of 0.2 s.
    """
    problem = ProblemSpec(hidden=(1,)).build()
    torch.func.jvp(problem.distilled, (problem.base_params,), (problem.teacher_update,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a claim that says nothing of this problem
        assert_aligned_to_first_order(problem)
        assert_ggn_matches_dense(problem)


def build_problem(spec: ProblemSpec, *, gentle: bool = False, loss: Loss | None = None) -> Problem:
    """Build the problem that ``spec`` describes, changed by the keywords.

    Args:
        spec: the description; hypothesis prints it when a test fails, and calling this again gives the same problem.
        gentle: replace ``student_lr`` by 1 / (2 lambda_max) of G: 2 / lambda_max suffices for a student to move toward
            the teacher (claim C1b), and at 1 / lambda_max the distance can be flat in the size of its step.
        loss: replaces the description's distillation loss.
    """
    problem = spec.build(**({} if loss is None else {"distillation_loss": loss}))
    if gentle:
        top = lambda_max(problem)
        ceiling = top.value + top.residual
        problem = dataclasses.replace(problem, student_lr=1 / (2 * ceiling) if ceiling > 0 else 1.0)
    return problem


register_strategies()
