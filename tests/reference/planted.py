"""Evidence with an error planted in the theory route, and problems on which it has to show."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from torch import Tensor

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.claim import Claim, Outcome
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.drawn_spec import draw_spec
from subtx_toy.problem.params import Params, flatten
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.seeding import generator
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.linearization import jacobian_product, transposed_jacobian_product
from subtx_toy.training.gradient_step import student_step

GENERIC = ProblemSpec(
    hidden=(6, 5), input_dim=3, num_classes=3, num_aux=2, num_inputs=7, num_trait_inputs=5, loss="kl", temperature=2.0
)  # fmt: skip
SQUARED = ProblemSpec(hidden=(4,), input_dim=3, num_classes=3, num_aux=2, num_inputs=5, num_trait_inputs=4)
# Its alignment turns negative at eps = 1.76, the teacher having moved by about 9.
TURNING = ProblemSpec(
    hidden=(4,), input_dim=3, num_classes=3, num_aux=2, num_inputs=5, num_trait_inputs=4, teacher="random", seed=4
)  # fmt: skip
LINEAR = ProblemSpec(input_dim=3, num_classes=3, num_inputs=5, num_trait_inputs=4)

# What stands in place of M v, given v and M v: all five are wrong on GENERIC.
WEIGHTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "wrong sign": lambda _v, Mv: -Mv,
    "factor 1.01": lambda _v, Mv: 1.01 * Mv,
    "missing 1/n": lambda _v, Mv: len(Mv) * Mv,
    "transposed J": lambda _v, Mv: Mv.flip(0).flip(1),
    "M omitted": lambda v, _Mv: v,
}

seeds = st.integers(0, 2**32)


def spec_of(seed: int) -> ProblemSpec:
    """In the test's body: the type checker of the tests uses ``random``, which Hypothesis forbids in strategies."""
    return draw_spec(generator(seed, "tests", "claims"))


def judge_all(claim: Claim, spec: ProblemSpec) -> None:
    judgement = claim.judge(Evidence(spec.build(), seed=spec.seed, thorough=False))
    assert judgement.verdict != "violated", judgement.reason


def outcome_of(id: str, evidence: Evidence) -> Outcome:
    return CLAIMS[id].evaluate(evidence)


def planted_ggn(problem: Problem, error: str, **changes: object) -> Evidence:
    """G and V with the error, at once."""
    outputs, v = jacobian_product(problem, problem.teacher_update)
    weights = WEIGHTS[error](v, problem.distillation_loss.hessian_product(outputs, outputs, v))
    G_dT = flatten(transposed_jacobian_product(problem, weights / len(v)))
    return Evidence(problem, V=float((v * weights).sum(-1).mean()), G_dT=G_dT, **changes)  # type: ignore[arg-type]


def planted_ray(problem: Problem, change: Callable[[Tensor], Tensor]) -> Evidence:
    """Another v in the exact identity."""
    outputs, v = jacobian_product(problem, problem.teacher_update)
    return Evidence(problem, ray=AlignmentRay(problem, outputs, change(v)))


def turned(problem: Problem, eps: float) -> Params:
    """The student steps up its loss."""
    return {name: -value for name, value in student_step(problem, eps).items()}


def scaled_step(factor: float) -> Callable[[Problem, float], Params]:
    """A student whose step is too long or too short by a factor."""

    def step(problem: Problem, eps: float) -> Params:
        return {name: factor * value for name, value in student_step(problem, eps).items()}

    return step
