"""Students of many steps each of which breaks one hypothesis of claims C23 to C33."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor

from subtx_toy.claims.controls.broken_student import BrokenStudent
from subtx_toy.claims.statements.descent import batched_steps, decaying_steps, many_steps
from subtx_toy.claims.statements.function_space import function_space, scaled_limit
from subtx_toy.claims.statements.momentum import BETA, INSIDE, adam_steps, momentum_steps
from subtx_toy.claims.statements.other_init import cross_init
from subtx_toy.claims.statements.recursion import log_convex_chain
from subtx_toy.claims.statements.restoring import restoring
from subtx_toy.claims.statements.trait_criterion import criterion, trait_falls_throughout
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.many_steps import ManySteps
from subtx_toy.problem.losses import OnTargets
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import flattened
from subtx_toy.theory.error_polynomials import first_crossing

EVERY = 8
LONG, FAR = 2.5 / 1.9, 1.6 / (INSIDE * first_crossing(BETA)[0])
"""Steps on batches with student_lr lambda_max = 2.5 and with momentum of 1.6, over those of the claims."""

Breaks = Callable[[Evidence], Evidence | None]


def altered(**changes: object) -> Breaks:
    """Build the evidence on students of many steps that differ in these attributes of ``ManySteps``."""

    def breaks(evidence: Evidence) -> Evidence:
        other = Evidence(evidence.problem, seed=evidence.seed, thorough=False, snippet=evidence.snippet)
        other.__dict__["many_steps"] = ManySteps(other, **changes)  # type: ignore[arg-type]
        return other

    return breaks


def _starts_elsewhere(evidence: Evidence) -> Evidence | None:
    model = evidence.problem.model
    if not isinstance(model, MLP):
        return None
    start = cross_init(evidence.problem, evidence.stream("control", "cross"))
    return altered(start=flattened(start, model.param_names))(evidence)


def _shuffled(evidence: Evidence) -> Evidence | None:
    problem = evidence.problem
    if len(problem.inputs) == 1 or problem.trait_loss is None:
        return None
    loss = problem.distillation_loss
    other = dataclasses.replace(
        loss, name="shuffled targets", by_row=False, value_and_gradient=OnTargets(loss, _rolled)
    )
    return altered(imitated=problem.with_loss(other))(evidence)


def _rolled(y: Tensor) -> Tensor:
    return y.roll(1, dims=-2)


def _short_of_the_criterion(evidence: Evidence) -> Evidence | None:
    return None if evidence.problem.trait_loss is None or criterion(evidence).holds else evidence


MANY_STEP = (
    BrokenStudent(
        "cross_model_path", "many steps from an initialisation of its own", _starts_elsewhere, "C23", many_steps, EVERY
    ),
    BrokenStudent(
        "long_batches", "steps of 2.5 / lambda_max on batches", altered(reach=LONG), "C24", batched_steps, EVERY
    ),
    BrokenStudent(
        "far_momentum", f"heavy ball {BETA} at 1.6 / lambda_max", altered(reach=FAR), "C25", momentum_steps, EVERY
    ),
    BrokenStudent(
        "fixed_adam", "Adam's step size does not follow eps", altered(lr_follows_eps=False), "C26", adam_steps, EVERY
    ),
    BrokenStudent(
        "decay_to_zero", "many steps with decay towards 0", altered(decay_towards="zero"), "C27", decaying_steps, EVERY
    ),
    BrokenStudent(
        "cross_model_pull", "pulled from an initialisation of its own", _starts_elsewhere, "C28", restoring, EVERY
    ),
    BrokenStudent(
        "trained_teacher", "its teacher fails the criterion F", _short_of_the_criterion, "C29", trait_falls_throughout,
        EVERY,
    ),
    BrokenStudent("shuffled", "learns each output at another input", _shuffled, "C30", function_space, EVERY),
    BrokenStudent(
        "other_inputs", "each generation sees other inputs", altered(same_inputs=False), "C31", log_convex_chain, EVERY
    ),
    BrokenStudent(
        "undivided_lr", "scaled outputs, student_lr divided by the scale once, not twice", altered(lr_over_scale=False),
        "C33", scaled_limit, EVERY,
    ),
)  # fmt: skip
"""One of each claim."""
