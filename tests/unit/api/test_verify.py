"""``verify`` from Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import subtx_toy as st
from subtx_toy.claims.registry import CLAIMS
from subtx_toy.files.content_key import finite
from subtx_toy.testing import build_problem

SPEC = st.ProblemSpec(hidden=(3,), num_inputs=4)


def test_drawn_problems_give_a_short_text_that_begins_with_the_conclusion() -> None:
    threads = torch.get_num_threads()
    found = st.verify(instances=6)
    lines = repr(found).splitlines()
    assert len(lines) == 12
    assert lines[0].endswith("; 24 of 24 controls fail as they must")
    assert lines[0].startswith(
        f"{sum(one.verdict == 'holds' for one in found.verdicts.summaries)} of {len(CLAIMS)} claims hold"
    )
    assert lines[-1] == f"... {len(CLAIMS) - 9} more lines: print(verification.table)"
    assert found.passed
    assert found._repr_html_().startswith(f"<p>{lines[0]}</p><table>")
    assert list(found.to_frame()["id"]) == [one["id"] for one in found.document()["claims"]]
    assert torch.get_num_threads() == threads


def test_the_document_holds_json_values_only_and_repeats() -> None:
    documents = [st.verify(instances=3, claims=["C1", "C5"], seed=2).document() for _ in range(2)]
    for document in documents:
        assert json.loads(json.dumps(document, allow_nan=False)) == document
        assert finite(document.pop("cpu_seconds")) is not None
        document.pop("checks_per_second")
    assert documents[0] == documents[1]


@pytest.mark.parametrize("problem", [SPEC, SPEC.build(), build_problem(SPEC, gentle=True)])
def test_a_problem_of_ones_own_is_one_instance_without_controls(problem: Any) -> None:
    found = st.verify(problem, claims="C1,C4")
    assert (found.instances, found.controls) == (1, ())
    assert found.conclusion == "2 of 2 claims hold"


def test_a_violated_claim_comes_first_with_its_counterexample() -> None:
    @st.claim(id="mine")
    def bound(problem: st.Problem, evidence: st.Evidence) -> st.Inequality:
        return st.Inequality(evidence.V, 0.0)

    found = st.verify(SPEC, claims=["C1", bound])
    assert found.conclusion == "1 of 2 claims holds, 1 violated"
    assert repr(found).splitlines()[2].split()[0] == "mine"
    assert found.violations.startswith("mine is violated: asserted ")
    assert not found.passed


def test_progress_is_reported() -> None:
    steps: list[tuple[str, int, int | None, str]] = []
    st.verify(instances=2, claims="C1", progress=lambda *step: steps.append(step))
    assert steps == [("verifying", done, 2, "problems") for done in range(3)]


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        ({"problem": 3}, ["problem: expected a Problem, a TOML file or a factory of one, got 3"]),
        ({"problem": Path("nowhere.toml")}, ["problem: cannot read 'nowhere.toml': No such file or directory"]),
        ({"problem": SPEC, "instances": 3}, ["instances: cannot be combined with a problem of your own"]),
        ({"instances": 0, "seed": -1}, [
            "instances: expected an integer from 1 to 10000000, got 0", "seed: expected an integer >= 0, got -1"]),
        ({"claims": ["C1", "C1"]}, ["claims: expected each id once, got 'C1' twice"]),
    ],
)  # fmt: skip
def test_what_cannot_be_verified_is_refused(arguments: dict[str, Any], sentences: list[str]) -> None:
    with pytest.raises(st.InputError) as caught:
        st.verify(**arguments)
    assert list(caught.value.problems) == sentences
