"""Cases of the same kinds that were kept aside: verdicts on them are as right as on the corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch

from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import InputError
from subtx_toy.problem.problem import Problem
from tests.reference.annotations import unchecked
from tests.verdicts import exact_arrays as ex
from tests.verdicts.agreement import assert_numbers_agree, judged
from tests.verdicts.exact_functions import Function
from tests.verdicts.exact_whole import Forward, between
from tests.verdicts.held_out_losses import BOUNDS_FALSE, BOUNDS_TRUE, HELD_FALSE, HELD_TRUE
from tests.verdicts.held_out_modules import HELD_CUT, HELD_KINKED, HELD_SMOOTH, HELD_WHOLE, without_gradient
from tests.verdicts.module_corpus import Net, problem_of
from tests.verdicts.published import num_cases, published
from tests.verdicts.test_bounds import check as check_bound
from tests.verdicts.test_losses import SPEC
from tests.verdicts.truth import Truth, of_loss, of_module

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

MODULES = HELD_SMOOTH | HELD_KINKED | HELD_CUT
LOSSES = HELD_TRUE | HELD_FALSE
BOUNDS = BOUNDS_TRUE | BOUNDS_FALSE
NAMES = [*MODULES, *HELD_WHOLE]


def check_module(name: str) -> list[tuple[Truth, str]]:
    problem, forward, function = _case(name)
    evidence, exact = Evidence(problem), of_module(problem, forward, between=function)
    assert_numbers_agree(evidence, exact)
    assert (name in HELD_SMOOTH or name in HELD_WHOLE) == (exact.truths["C4"] == "true")
    return judged(evidence, exact)


def _case(name: str) -> tuple[Problem, Callable[[torch.Tensor], Forward], Function | None]:
    if name in HELD_WHOLE:
        module, whole = HELD_WHOLE[name]
        return problem_of(module), lambda inputs: lambda p, _p0: whole(p, ex.exact(inputs)), None
    pair = MODULES[name]
    return problem_of(lambda: Net(pair.torch)), lambda inputs: between(pair.exact, ex.exact(inputs)), pair.exact


def check_loss(name: str) -> list[tuple[Truth, str]]:
    loss, formula = LOSSES[name]
    problem = SPEC.build(distillation_loss=loss)
    evidence, exact = Evidence(problem), of_loss(problem, formula)
    if exact.truths["C1"] == "true":
        assert_numbers_agree(evidence, exact)
    assert (name in HELD_TRUE) == (exact.truths["C1"] == "true")
    return judged(evidence, exact)


def test_no_verdict_on_a_module_is_wrong() -> None:
    found = Counter(pair for name in NAMES for pair in check_module(name))
    assert len(NAMES) == num_cases("other modules") >= 20
    assert found == published("other modules")


def test_a_part_without_gradient_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="expected one derivative of Net, got others in forward and in reverse mode"):
        problem_of(lambda: Net(without_gradient))


def test_no_verdict_on_a_loss_is_wrong() -> None:
    found = Counter(pair for name in LOSSES for pair in check_loss(name))
    assert len(LOSSES) == num_cases("other losses") >= 10
    assert found == published("other losses")


@unchecked()
def test_no_verdict_on_a_bound_is_wrong() -> None:
    found = Counter(check_bound(name, BOUNDS_TRUE, BOUNDS_FALSE) for name in BOUNDS)
    assert len(BOUNDS) == num_cases("other bounds") >= 15
    assert found == published("other bounds")
