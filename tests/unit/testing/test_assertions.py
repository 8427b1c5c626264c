from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from subtx_toy import testing
from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.user import claim
from subtx_toy.claims.vocabulary.claim import Inequality
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import InputError
from subtx_toy.problem.losses import kl, squared_error
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import cosine_distance
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.testing import imitation_losses, problems
from subtx_toy.theory.curvature import ggn_vector_product
from subtx_toy.theory.step_predictions import predicted_distance
from subtx_toy.training.gradient_step import student_step
from tests.reference.examples import at_most, slow
from tests.reference.modules import FOREIGN, foreign_problem

# beartype, which checks the annotations of the package under pytest, looks at a random item of each sequence.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not use the .random. module:hypothesis.errors.HypothesisDeprecationWarning"
)

Assertion = Callable[..., None]
SOME = at_most(12)  # a problem takes many steps
STUDENT_ASSERTIONS = [
    testing.assert_aligned_to_first_order,
    testing.assert_alignment_is_exact,
    testing.assert_remainder_is_second_order,
    testing.assert_moves_toward_teacher,
    testing.assert_trait_loss_falls,
]
GENERIC = ProblemSpec(hidden=(4,), input_dim=3, num_classes=2, num_aux=3, num_inputs=5, num_trait_inputs=4)


@SOME
@given(problem=problems())
def test_alignment_and_remainder_hold(problem: Problem) -> None:
    testing.assert_aligned_to_first_order(problem)
    testing.assert_remainder_is_second_order(problem)


def near_zero(hidden: tuple[int, ...], input_dim: int, num_inputs: int) -> Problem:
    """Outputs of 3e-4 or 3e-6 on some inputs, whose cosine distance bends at as small an eps."""
    spec = ProblemSpec(
        hidden=hidden, input_dim=input_dim, num_classes=1, num_aux=1, activation="gelu", init="fan_in_normal",
        init_scale=2.0, inputs="gaussian", num_inputs=num_inputs, num_trait_inputs=1, trait_inputs="drawn",
        trait="squared_error", teacher="trait", distilled_logits="all",
    )  # fmt: skip
    return dataclasses.replace(spec.build(), distillation_loss=cosine_distance())


@SOME
@example(problem=near_zero((1, 1), 3, 7))
@example(problem=near_zero((1,), 5, 4))
@given(problem=problems(distillation_losses=imitation_losses()))
def test_alignment_holds_for_every_imitation_loss(problem: Problem) -> None:
    testing.assert_aligned_to_first_order(problem)


SATURATED = ProblemSpec(  # a softmax at 1 - 1e-5, whose Hessian is what rounding leaves of a difference
    hidden=(1, 3), input_dim=1, num_classes=1, num_aux=1, activation="softplus", init="he", init_scale=2.0,
    inputs="gaussian", num_inputs=1, num_trait_inputs=1, trait_inputs="drawn", trait="squared_error", loss="kl",
    distilled_logits="all",
).build()  # fmt: skip


@SOME
@example(problem=SATURATED)
@given(problem=problems(smooth=None))
def test_what_needs_no_smoothness_holds_on_kinked_models_too(problem: Problem) -> None:
    testing.assert_alignment_is_exact(problem)
    testing.assert_ggn_matches_dense(problem)


@SOME
@given(blind=problems(degenerate=True), seeing=problems(degenerate=False))
def test_dichotomy_holds(blind: Problem, seeing: Problem) -> None:
    testing.assert_dichotomy(blind, degenerate=True)
    testing.assert_dichotomy(seeing)


@SOME
@given(problem=problems(degenerate=False, gentle=True))
def test_gentle_students_move_toward_the_teacher(problem: Problem) -> None:
    testing.assert_moves_toward_teacher(problem)


@SOME
@given(problem=problems(trait_step=True))
def test_trait_loss_falls(problem: Problem) -> None:
    testing.assert_trait_loss_falls(problem)


def foreign(name: str, loss: str) -> Problem:
    problem = foreign_problem(name, squared_error() if loss == "squared_error" else kl(2.0))
    return dataclasses.replace(problem, student_lr=predicted_distance(problem).sufficient / 4)


@pytest.mark.parametrize("assertion", STUDENT_ASSERTIONS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("name", FOREIGN)
def test_assertions_hold_on_foreign_modules(assertion: Assertion, name: str) -> None:
    assertion(foreign(name, "kl"))


def scaled(factor: float) -> Callable[[Problem, float], Params]:
    return lambda problem, eps: {name: factor * value for name, value in student_step(problem, eps).items()}


def summed(problem: Problem, eps: float) -> Params:
    """A student that forgets to divide by n."""
    return scaled(float(len(problem.distilled(problem.base_params))))(problem, eps)


def cross_model(problem: Problem, eps: float) -> Params:
    """A student that starts from other parameters."""
    other = {name: value.flip(0) + 0.1 for name, value in problem.base_params.items()}
    return student_step(problem, eps, student_init=other)


PLANTED = {"wrong sign": scaled(-1.0), "1.01": scaled(1.01), "no 1/n": summed, "cross-model": cross_model}


@pytest.mark.parametrize("assertion", STUDENT_ASSERTIONS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize(
    ("loss", "module"),
    [("squared_error", "perceptron"), ("kl", "tied"), *slow(("squared_error", "tied"), ("kl", "perceptron"))],
)
def test_assertions_fail_on_planted_errors(assertion: Assertion, planted: str, loss: str, module: str) -> None:
    spec = dataclasses.replace(GENERIC, loss=loss, trait="cross_entropy")
    problem = foreign(module, loss) if module == "tied" else testing.build_problem(spec, gentle=True)
    assertion(problem)
    with pytest.raises(AssertionError, match=r"predicted \S+, observed \S+, ratio \S+"):
        assertion(problem, student=PLANTED[planted])


@at_most(3)  # five violations each, whose roundings are measured
@given(problem=problems(degenerate=False, gentle=True, trait_step=True), name=st.sampled_from(["wrong sign", "1.01"]))
def test_planted_factors_are_caught_on_every_problem(problem: Problem, name: str) -> None:
    for assertion in STUDENT_ASSERTIONS:
        with pytest.raises(AssertionError):
            assertion(problem, student=PLANTED[name])


def test_dichotomy_fails_on_planted_errors() -> None:
    with pytest.raises(AssertionError, match=r"(?s)^C2 is violated: alignment at eps = .*predicted .* ratio -1$"):
        testing.assert_dichotomy(GENERIC.build(), student=scaled(-1.0))
    testing.assert_dichotomy(GENERIC.build(), student=scaled(1.01))  # says nothing of sizes
    # This other start pulls against the teacher, at every small eps alike.
    opposed = GENERIC.build(inputs=torch.ones(1, 3).double())
    away = {name: value + opposed.teacher_update[name] for name, value in opposed.base_params.items()}
    with pytest.raises(AssertionError, match=r"C2 is violated: alignment at eps = \S+: asserted 0 <= -"):
        testing.assert_dichotomy(
            opposed, student=lambda problem, eps: student_step(problem, eps, student_init=away)
        )  # fmt: skip
    blind = dataclasses.replace(GENERIC, hidden=(), distilled_logits="aux").build()
    with pytest.raises(AssertionError, match=r"C2 is violated: \|alignment\| at eps"):
        testing.assert_dichotomy(
            blind, degenerate=True, student=lambda problem, eps: {k: eps * v for k, v in problem.teacher_update.items()}
        )
    with pytest.raises(AssertionError, match=r"\|alignment\| at eps"):
        testing.assert_dichotomy(GENERIC.build(), degenerate=True)


@pytest.mark.parametrize("factor", [-1.0, 1.01, 5.0])
def test_products_with_a_planted_factor_do_not_match_the_dense_matrix(factor: float) -> None:
    def product(problem: Problem, v: Params) -> Params:
        return {name: factor * value for name, value in ggn_vector_product(problem, v).items()}

    with pytest.raises(AssertionError, match="predicted"):
        testing.assert_ggn_matches_dense(GENERIC.build(), product=product)


def test_a_student_beyond_the_window_and_a_free_teacher_are_told_apart() -> None:
    problem = GENERIC.build()
    window = predicted_distance(problem).window
    with pytest.raises(AssertionError, match=r"student_lr: expected below .* got"):
        testing.assert_moves_toward_teacher(dataclasses.replace(problem, student_lr=1.01 * window))
    with pytest.raises(InputError, match="expected minus the trait gradient"):
        testing.assert_trait_loss_falls(dataclasses.replace(GENERIC, teacher="random").build())


STILL = dataclasses.replace(GENERIC, num_classes=1, trait="cross_entropy")
KINKED = dataclasses.replace(GENERIC, activation="relu")


@pytest.mark.parametrize(
    ("claim", "spec", "sentence"),
    [
        ("C1", STILL, "C1 was not checked. Unmet: the teacher moves: the teacher's update is zero"),
        ("C2", STILL, "C2 was not checked. Unmet: the teacher moves: the teacher's update is zero"),
        (
            "C4",
            KINKED,
            "C4 was not checked. Unmet: the model is twice continuously differentiable: "
            "relu is not twice continuously differentiable",
        ),
    ],
)
def test_a_problem_outside_a_claims_hypotheses_gives_one_warning(claim: str, spec: ProblemSpec, sentence: str) -> None:
    with pytest.warns(testing.HypothesisWarning) as caught:
        testing.assert_claim(claim, spec.build(), student=scaled(-1.0))
    assert [str(one.message) for one in caught] == [sentence]


def test_the_same_warning_is_shown_once() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            testing.assert_remainder_is_second_order(KINKED.build())
    assert len(caught) == 1


MANY_STEPS = ("C23", "C24", "C25", "C26", "C27", "C28", "C29", "C30", "C31")


# Roundings of many steps are measured by many more: one of these claims stands for all.
@pytest.mark.parametrize(
    "id", [id if id not in MANY_STEPS or id == "C27" else pytest.param(id, marks=pytest.mark.slow) for id in CLAIMS]
)
def test_every_claim_can_be_asserted_and_fails_on_a_student_that_flees(id: str) -> None:
    # A student that flees is seen by every claim that looks at the student it is given.
    problem = dataclasses.replace(GENERIC, loss="kl").build()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", testing.HypothesisWarning)
        testing.assert_claim(id, problem)
        if CLAIMS[id].own_students:
            with pytest.raises(InputError, match=f"^student: {id} does not look at the step"):
                testing.assert_claim(id, problem, student=scaled(-1.0))
        elif id != "C6":  # which has an outcome on teachers of the last layer alone
            with pytest.raises(AssertionError, match=f"^{id} is violated: "):
                testing.assert_claim(id, problem, student=scaled(-1.0))


def test_a_student_that_flees_fails_the_claim_about_teachers_of_the_last_layer() -> None:
    problem = dataclasses.replace(GENERIC, teacher="last_layer").build()
    testing.assert_claim("C6", problem)
    with pytest.raises(AssertionError, match=r"^C6 is violated: "):
        testing.assert_claim("C6", problem, student=scaled(-1.0))


def test_a_bound_that_holds_without_a_call_of_the_student_says_nothing_of_it() -> None:
    @claim(id="curved")
    def curved(_problem: Problem, evidence: Evidence) -> Inequality:
        return Inequality(0.0, evidence.V)

    testing.assert_claim(curved, GENERIC.build())
    with pytest.raises(
        InputError, match=r"^student: curved does not look at the step that is given; these do: C1, C1b, "
    ):
        testing.assert_claim(curved, GENERIC.build(), student=scaled(-1.0))


def test_a_message_names_check_problem_and_numbers() -> None:
    with pytest.raises(AssertionError) as caught:
        testing.assert_claim("C1", GENERIC.build(), student=scaled(1.01))
    check, problem, numbers = str(caught.value).splitlines()
    assert check.startswith("C1 is violated: alignment - eps V, over eps^2, at eps = ")
    assert problem.startswith("Problem(MLP((3, 4, 5), 'tanh', num_classes=2), 41 parameters, ")
    assert re.fullmatch(r"predicted \S+, observed \S+, ratio 1\.01", numbers)


def test_an_unknown_claim_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"claims: expected one of C1, .*, got 'C1c'; did you mean 'C1'\?"):
        testing.assert_claim("C1c", GENERIC.build())
