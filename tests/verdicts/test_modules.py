"""The corpus of modules: nothing that is true of one is violated, and nothing holds that is false of it."""

from __future__ import annotations

from collections import Counter

import pytest

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import InputError
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.training.gradient_step import student_step
from tests.verdicts.module_corpus import MODULES, Case
from tests.verdicts.published import published

REFUSED = "refused at once"
IDS = ("C1", "C4", "C5")
EXPECTED = {
    "smooth": ("holds", "undecided"),
    "kinked": ("not applicable",),
    "cut": ("not applicable", REFUSED),
    "cancels": ("holds", "undecided"),
    "huge": ("holds", "undecided"),
}
"""Verdicts of C1 and C4 that are not wrong; C5 is an identity of any Jacobian, so it is never violated."""

QUICK = [
    "tanh", "log cosh by abs", "stable softmax", "own function", "relu", "nn.ReLU", "softsign", "relu by a mask",
    "detached branch", "straight through", "hidden in numpy", "weight_norm", "LayerNorm at 1.7e+09",
]  # fmt: skip


def one_percent(problem: Problem, eps: float) -> Params:
    return {name: 1.01 * value for name, value in student_step(problem, eps).items()}


def verdicts(case: Case) -> list[str]:
    try:
        problem = case.build()
    except InputError:
        return [REFUSED] * len(IDS)
    found = [CLAIMS[id].judge(Evidence(problem)) for id in IDS]
    for id in ("C1", "C5"):  # what is false is never said to hold
        assert CLAIMS[id].judge(Evidence(problem, student_step=one_percent)).verdict != "holds"
    return [one.verdict for one in found]


def check(name: str) -> list[str]:
    found = verdicts(MODULES[name])
    for id, verdict in zip(IDS, found, strict=True):
        allowed = EXPECTED[MODULES[name].truth] if id != "C5" else ("holds", "undecided", "not applicable", REFUSED)
        assert verdict in allowed, f"{id} of {name}: {verdict}"
    return found


@pytest.mark.parametrize("name", QUICK)
def test_no_verdict_on_a_module_is_wrong(name: str) -> None:
    check(name)


def test_the_same_net_gets_the_same_verdict_as_a_function_and_as_a_module() -> None:
    reasons = [CLAIMS["C1"].judge(Evidence(MODULES[name].build())).reason for name in ("relu", "nn.ReLU")]
    assert reasons[0] == reasons[1]


def test_there_are_enough() -> None:
    assert len(MODULES) >= 60
    assert published("modules")["cases"] == len(MODULES)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_modules_and_the_published_counts() -> None:
    counts = Counter(verdict for name in MODULES for verdict in check(name))
    assert published("modules")["verdicts"] == dict(counts)
