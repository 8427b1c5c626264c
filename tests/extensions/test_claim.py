"""A claim from outside the package goes through verify, the command, assert_claim and hunt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import subtx_toy as st
from subtx_toy import cli, testing
from subtx_toy.files.python_objects import load_object
from tests.reference.annotations import unchecked

ROOT = Path(__file__).parents[2]
FILE = "examples/own_claim.py"
SPEC = st.ProblemSpec(hidden=(3,), num_inputs=4, seed=1)

# beartype, which checks the annotations of the package under pytest, looks at a random item of each sequence.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not use the .random. module:hypothesis.errors.HypothesisDeprecationWarning"
)


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def example(name: str) -> Any:
    return load_object("claims", f"{ROOT / FILE}:{name}", expected="a name of the example")


def test_verify_takes_it_as_a_claim_or_by_its_place() -> None:
    found = st.verify(claims=[example("true_bound"), f"{FILE}:false_bound", "C1"], instances=30)
    assert {one.claim.id: one.verdict for one in found.verdicts.summaries} == {
        "true-bound": "holds",
        "false-bound": "violated",
        "C1": "holds",
    }
    assert found.conclusion == "2 of 3 claims hold, 1 violated"
    assert not found.passed
    built: dict[str, Any] = {}
    counterexample = found.counterexamples["false-bound"]
    assert counterexample is not None
    exec(counterexample[0], built)
    assert example("false_bound").judge(st.Evidence(built["problem"])).verdict == "violated"


@pytest.mark.parametrize(("name", "code"), [("true_bound", 0), ("false_bound", 1)])
def test_the_command_takes_it(name: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["verify", "--claims", f"{FILE}:{name}", "--instances", "30", "--json"]) == code
    (row,) = json.loads(capsys.readouterr().out)["claims"]
    assert (row["counterexample"] is not None) == bool(code)


def test_assert_claim_takes_it() -> None:
    testing.assert_claim(example("true_bound"), SPEC.build())
    with pytest.raises(AssertionError, match=r"^false-bound is violated: .*\nProblem\("):
        testing.assert_claim(f"{FILE}:false_bound", example_violation())


def example_violation() -> st.Problem:
    (found,) = st.verify(claims=f"{FILE}:false_bound", instances=30).counterexamples.values()
    assert found is not None
    built: dict[str, Any] = {}
    exec(found[0], built)
    problem: st.Problem = built["problem"]
    return problem


@unchecked()
def test_hunt_finds_the_counterexample_of_the_false_one_only() -> None:
    found = testing.hunt(example("false_bound"), num_problems=300).counterexample
    assert found is not None
    assert example("false_bound").judge(st.Evidence(found.build())).verdict == "violated"
    assert testing.hunt(example("true_bound"), num_problems=300).counterexample is None


def test_the_example_is_short() -> None:
    assert len((ROOT / FILE).read_text().splitlines()) <= 40
