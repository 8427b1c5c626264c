"""The corpus of modules: nothing that is true of one is violated, and nothing holds that is false of it."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.training.gradient_step import student_step
from tests.verdicts.agreement import assert_numbers_agree, judged
from tests.verdicts.exact_arrays import HUGE_PRECISION, PRECISION
from tests.verdicts.exact_functions import FUNCTIONS, PRELU
from tests.verdicts.exact_losses import kl
from tests.verdicts.exact_whole import forward_of
from tests.verdicts.module_corpus import MODULES
from tests.verdicts.published import num_cases, published
from tests.verdicts.truth import IDS, Evaluated, Truth, of_module

QUICK = [
    "tanh", "log cosh by abs", "stable softmax", "own function", "relu", "nn.ReLU", "softsign", "relu by a mask",
    "hardsigmoid", "detached branch", "straight through", "hidden in numpy", "weight_norm", "attention",
    "LayerNorm at 1.7e+09",
]  # fmt: skip


def evaluated(name: str, problem: Problem) -> Evaluated:
    huge = MODULES[name].truth == "huge"  # kinks are looked for where functions are of size 1
    return of_module(
        problem,
        partial(forward_of, name, problem),
        between=None if huge else PRELU if name == "prelu" else FUNCTIONS.get(name),
        loss=kl(1e8) if name == "kl at 1e8" else None,
        precision=HUGE_PRECISION if huge else PRECISION,
    )


def one_percent(problem: Problem, eps: float) -> Params:
    return {name: 1.01 * value for name, value in student_step(problem, eps).items()}


def check(name: str) -> list[tuple[Truth, str]]:
    problem = MODULES[name].build()
    evidence, exact = Evidence(problem), evaluated(name, problem)
    assert_numbers_agree(evidence, exact)
    for id in ("C1", "C5"):  # what is false is never said to hold
        assert CLAIMS[id].judge(Evidence(problem, student_step=one_percent)).verdict != "holds"
    by_operations = MODULES[name].truth in ("smooth", "cancels", "huge")
    assert by_operations == (exact.truths["C4"] == "true")
    return judged(evidence, exact)


@pytest.mark.parametrize("name", QUICK)
def test_no_verdict_on_a_module_is_wrong(name: str) -> None:
    check(name)


def test_the_same_net_gets_the_same_verdict_as_a_function_and_as_a_module() -> None:
    reasons = [CLAIMS["C1"].judge(Evidence(MODULES[name].build())).reason for name in ("relu", "nn.ReLU")]
    assert reasons[0] == reasons[1]


def test_there_are_enough() -> None:
    assert num_cases("modules") == len(MODULES) >= 60
    assert published("modules").total() == len(MODULES) * len(IDS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_modules_and_the_published_counts() -> None:
    assert published("modules") == Counter(pair for name in MODULES for pair in check(name))
