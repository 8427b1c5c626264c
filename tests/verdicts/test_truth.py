"""The evaluation at 200 bits notices what is planted: another function, a detached part, a kink, a wrong loss."""

from __future__ import annotations

from functools import partial

import pytest
from flint import ctx

from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.losses import squared_error
from tests.verdicts import exact_arrays as ex
from tests.verdicts.agreement import assert_numbers_agree, judged
from tests.verdicts.exact_conditions import conditions, is_kinked
from tests.verdicts.exact_functions import FUNCTIONS, undetached
from tests.verdicts.exact_losses import LOSSES
from tests.verdicts.exact_step import ExactStep
from tests.verdicts.exact_whole import forward_of
from tests.verdicts.module_corpus import KINKED, MODULES, SMOOTH
from tests.verdicts.test_losses import SPEC
from tests.verdicts.test_modules import evaluated, one_percent
from tests.verdicts.truth import IDS, truths


def test_another_function_is_noticed() -> None:
    problem = MODULES["gelu"].build()
    with pytest.raises(AssertionError, match="differs by"):
        assert_numbers_agree(Evidence(problem), evaluated("silu", problem))


def test_a_student_that_is_off_by_one_percent_is_noticed() -> None:
    problem = MODULES["tanh"].build()
    with pytest.raises(AssertionError, match="alignment differs by"):
        assert_numbers_agree(Evidence(problem, student_step=one_percent), evaluated("tanh", problem))


def test_a_verdict_that_is_wrong_is_noticed() -> None:
    problem = MODULES["tanh"].build()
    exact = evaluated("detached branch", problem)  # of which C1 is false
    with pytest.raises(AssertionError, match="C1 is holds, no hypothesis, and false"):
        judged(Evidence(problem), exact)


def test_a_theorem_that_were_false_is_noticed() -> None:
    every = dict.fromkeys(IDS, True)
    with pytest.raises(AssertionError, match="C4: its hypotheses are met and its conclusion is false"):
        truths(every, every | {"C4": False})


def test_enclosures_have_200_bits() -> None:
    problem = MODULES["LayerNorm at 1e+12"].build()
    with ctx.workprec(ex.PRECISION):
        step = ExactStep(problem, partial(forward_of, "LayerNorm at 1e+12", problem), LOSSES["squared error"])
        for number in (step.V, step.a(step.unit), *step.G_dT):
            assert number.rel_accuracy_bits() >= 200


@pytest.mark.parametrize("names", [SMOOTH, KINKED])
def test_kinks_are_found_where_they_are(names: dict[str, object]) -> None:
    with ctx.workprec(ex.PRECISION):
        kinked = {name for name in names if name in FUNCTIONS and is_kinked(undetached(FUNCTIONS[name]))}
    assert kinked == (set() if names is SMOOTH else set(names) - {"prelu"})


def test_faults_of_losses_are_found_by_name() -> None:
    with ctx.workprec(ex.PRECISION):
        problem = SPEC.build(distillation_loss=squared_error())
        z = ex.exact(problem.distilled(problem.base_params))
        found = {name: conditions(LOSSES[name], z) for name in ("kl", "divided by n", "wrong gradient", "saddle", "l1")}
        assert all(vars(found["kl"]).values())
        assert not found["divided by n"].by_input
        assert not found["wrong gradient"].own_gradient
        assert not found["saddle"].least
        assert not found["l1"].second_order
        assert not conditions(LOSSES["cubic"], z).no_slope_unseen
