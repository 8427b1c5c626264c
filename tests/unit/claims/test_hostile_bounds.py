"""Whatever a bound of a user's does: the right verdict, or one message."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from subtx_toy import cli
from subtx_toy.claims.instance import drawn, given
from subtx_toy.claims.user import claim, load_claim
from subtx_toy.claims.verification import verify
from subtx_toy.claims.vocabulary.claim import Claim, Inequality
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import InputError
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from tests.reference.annotations import unchecked

ANY: Any = Inequality
SPEC = ProblemSpec(hidden=(3,), input_dim=2, num_inputs=4, num_classes=2, teacher="random")


def made(bound: Callable[[Any, Any], Any], id: str = "mine", **keywords: Any) -> Claim:
    found: Claim = claim(id=id, **keywords)(bound)
    return found


def _exit(_problem: object, _evidence: object) -> None:
    raise SystemExit(0)


def _divide(_problem: object, evidence: Evidence) -> Inequality:
    return Inequality(evidence.V / 0, 1.0)


@pytest.mark.parametrize(
    ("bound", "sentence"),
    [
        (_exit, "mine: expected an Inequality, got SystemExit: 0"),
        (_divide, "got ZeroDivisionError"),
        (lambda _p, _e: ANY("1", 2.0), "expected two numbers and a floor, got '1'"),
        (lambda _p, _e: ANY(1j, 2.0), "got 1j"),
        (lambda _p, _e: ANY(torch.tensor(1j), 2.0), "expected two numbers and a floor"),
        (lambda _p, _e: Inequality(10**400, 2.0), "expected numbers that float64 holds"),
        (lambda _p, _e: ANY(torch.ones(2), 2.0), "expected two numbers and a floor"),
        (lambda _p, _e: Inequality(1.0, 2.0, floor=-1.0), "floor: expected a number >= 0, got -1.0"),
        (lambda _p, _e: Inequality(1.0, 2.0, floor=float("nan")), "floor: expected a number >= 0, got nan"),
        (lambda _p, _e: Inequality(float("nan"), 2.0), "expected numbers, got nan <= 2.0"),
        (lambda _p, e: Inequality(e.V + np.random.rand(), e.V), "expected the same numbers twice"),  # noqa: NPY002
        (lambda _p, e: Inequality(random.random(), 2.0), "expected the same numbers twice"),  # noqa: ARG005
        (lambda _p, _e: None, "expected an Inequality, got NoneType"),
    ],
)
@unchecked()
def test_what_is_no_inequality_is_one_message(bound: Callable[[Any, Any], Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        verify([made(bound)], drawn(2, seed=0))
    assert sentence in str(caught.value)
    assert len(caught.value.problems) == 1


def _leaves(_problem: Problem) -> bool:
    raise SystemExit(0)


def _raises(_problem: Problem) -> bool:
    raise KeyError("x")


@pytest.mark.parametrize("hypothesis", [_raises, lambda _problem: "no", lambda _problem: None, _leaves])
def test_hypotheses_that_fail_are_one_message(hypothesis: Callable[[Any], Any]) -> None:
    bound = made(lambda _p, e: Inequality(e.V, e.V + 1), hypotheses=[hypothesis])
    with pytest.raises(InputError, match=r"mine: hypothesis .*: expected True or False"):
        verify([bound], drawn(2, seed=0))


@pytest.mark.parametrize("id", ["C1", "c8b", " C5", "", "a\x1b[31mb", "x" * 61, "two\nlines"])
def test_ids_are_names_of_ones_own(id: str) -> None:
    with pytest.raises(InputError, match="id: expected a"):
        claim(id=id)


def test_escapes_in_texts_are_written_out() -> None:
    def bound(_problem: Problem, evidence: Evidence) -> Inequality:
        "Red: \x1b[31m."
        return Inequality(evidence.V + 1, evidence.V, what="\x1b[2J")

    mine = made(bound)
    (summary,) = verify([mine], drawn(2, seed=0)).summaries
    found = summary.counterexample()
    assert found is not None
    assert (mine.statement + found[1]).isprintable()


def test_a_bound_is_given_copies() -> None:
    problem = SPEC.build()
    before = {name: value.clone() for name, value in problem.base_params.items()}
    evidence = Evidence(problem)
    V, G_dT = evidence.V, evidence.G_dT.clone()

    def spoils(mine: Problem, copies: Evidence) -> Inequality:
        for value in (*mine.base_params.values(), *mine.teacher_update.values(), mine.inputs, copies.dT, copies.G_dT):
            value.zero_()
        copies.ray.outputs.zero_()
        copies.update(mine.eps).zero_()
        copies.problem.base_params.clear()
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(False)
        return Inequality(0.0, 1.0)

    assert made(spoils).judge(evidence).verdict == "holds"
    assert all(torch.equal(value, before[name]) for name, value in problem.base_params.items())
    assert (evidence.V, Evidence(problem).V) == (V, V)
    assert torch.equal(evidence.G_dT, G_dT)
    assert float(evidence.update(problem.eps).norm()) > 0
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("sides", "verdict"),
    [
        ((0.0, 0.0), "undecided"),
        ((1.0, float("inf")), "undecided"),
        ((float("inf"), 1.0), "undecided"),
        ((1.0, 1.0 + 1e-12), "undecided"),
        ((1.0, 2.0), "holds"),
        ((np.float64(1.0), np.int64(2)), "holds"),
        ((torch.tensor(2.0), 1), "violated"),
        ((True, 2), "holds"),
    ],
)
@unchecked()
def test_what_decides_nothing_does_not_hold(sides: tuple[Any, Any], verdict: str) -> None:
    assert made(lambda _p, _e: Inequality(*sides)).judge(Evidence(SPEC.build())).verdict == verdict


def test_rounding_in_python_and_in_eigenvalues_is_no_violation() -> None:
    bounds = [
        made(lambda _p, e: Inequality(-float(e.ggn_spectrum[0][0]), 0.0), "least"),
        made(lambda _p, e: Inequality(e.V, (1e9 + e.V) - 1e9), "sum"),
        made(lambda _p, e: Inequality(e.V * (1 + 1e-12), e.V), "false, but by less than is seen"),
    ]
    for summary in verify(bounds, drawn(6, seed=0)).summaries:
        assert summary.verdict == "undecided" or (summary.claim.id, summary.verdict) == ("least", "holds")


def test_a_thin_false_set_is_found_by_driving_the_margin() -> None:
    thin = made(lambda _p, e: Inequality(e.V, 100 * e.dT_norm**2))
    assert not any(thin.judge(one.evidence()).verdict == "violated" for one in drawn(30, seed=0))
    (summary,) = verify([thin], drawn(30, seed=0)).summaries
    assert summary.verdict == "violated"
    assert summary.counts["violated"] == 1


BOUND = """
from subtx_toy.claims.user import claim
from subtx_toy.claims.vocabulary.claim import Inequality
print("at import")
@claim(id="loud")
def loud(problem, evidence):
    print("in the bound")
    return Inequality(evidence.V, evidence.V + 1)
"""
FACTORY = """
from subtx_toy.problem.spec import ProblemSpec
from tests.reference.annotations import unchecked
def factory():
    print("in the factory")
    return ProblemSpec(hidden=(2,)).build()
def leaves():
    raise SystemExit(0)
"""


def test_prints_do_not_reach_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(BOUND + FACTORY)
    words = ["verify", f"{tmp_path}/mine.py:factory", "--claims", f"{tmp_path}/mine.py:loud", "--json"]
    assert cli.call(words) == 0
    assert json.loads(capsys.readouterr().out)["claims"][0]["verdict"] == "holds"


def test_leaving_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FACTORY)
    (tmp_path / "exits.py").write_text("import sys; sys.exit(0)")
    with pytest.raises(InputError, match="SystemExit"):
        given(f"{tmp_path}/mine.py:leaves")
    with pytest.raises(InputError, match="SystemExit"):
        load_claim(f"{tmp_path}/exits.py:bound")
