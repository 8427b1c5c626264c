from __future__ import annotations

from pathlib import Path

import pytest

from subtx_toy.claims.instance import drawn, given
from subtx_toy.claims.shrinking import shrink, smaller
from subtx_toy.claims.user import claim, load_claim
from subtx_toy.claims.verification import verify
from subtx_toy.claims.vocabulary.claim import Inequality
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.hypotheses import SEEN
from subtx_toy.errors import InputError
from subtx_toy.problem.drawn_spec import draw_spec
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.seeding import generator
from tests.reference.annotations import unchecked


@claim(id="rayleigh", hypotheses=[SEEN])
def rayleigh(problem: Problem, evidence: Evidence) -> Inequality:
    """V <= ||G dT|| ||dT||."""
    return Inequality(evidence.V, float(evidence.G_dT.norm()) * evidence.dT_norm)


def has_hidden_layers(problem: Problem) -> bool:
    """The model has hidden layers."""
    return len(problem.base_params) > 2


@claim(id="too good", hypotheses=[has_hidden_layers])
def too_good(problem: Problem, evidence: Evidence) -> Inequality:
    """V <= ||dT||^2, as if lambda_max were 1."""
    return Inequality(evidence.V, evidence.dT_norm**2)


@unchecked()
def test_a_true_bound_holds_on_a_thousand_problems() -> None:
    (summary,) = verify([rayleigh], drawn(1000, seed=0)).summaries
    assert summary.verdict == "holds"
    assert summary.counts["violated"] == 0
    assert summary.applicable > 800
    ratio = summary.ratio()
    assert ratio is not None
    assert 0 < ratio[0] < ratio[2] <= 1 + 1e-9


@unchecked()
def test_a_false_bound_is_refuted_with_a_small_counterexample() -> None:
    (summary,) = verify([too_good], drawn(100, seed=0)).summaries
    assert summary.verdict == "violated"
    found = summary.counterexample()
    assert found is not None
    scope: dict[str, Problem] = {}
    exec(found[0], scope)  # the snippet runs
    problem = scope["problem"]
    assert sum(value.numel() for value in problem.base_params.values()) <= 8
    assert too_good.judge(Evidence(problem)).verdict == "violated"
    assert "lhs" not in found[1]


def test_shrinking_stops_at_a_spec_that_no_step_makes_smaller() -> None:
    def fails(spec: ProblemSpec) -> bool:
        return len(spec.hidden) >= 1 and spec.num_inputs >= 3

    start = draw_spec(generator(3, "tests", "shrinking"))
    start = ProblemSpec(**(vars(start) | {"hidden": (7, 9), "num_inputs": 20}))
    end = shrink(start, fails)
    assert (end.hidden, end.num_inputs) == ((1,), 3)
    assert end == ProblemSpec(hidden=(1,), num_inputs=3, seed=end.seed)
    assert not any(fails(spec) for spec in smaller(end))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("bound = 3", "expected a function under @claim(id=...) at"),
        ("other = 3", "named 'bound' in"),
        ("raise RuntimeError('no')", "RuntimeError: no"),
        ("def bound(:", "SyntaxError"),
    ],
)
def test_files_that_cannot_be_used_are_told_by_name(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_claim(f"{path}:bound")
    assert sentence in str(caught.value)
    assert "mine.py" in str(caught.value)


def test_references_that_name_nothing_are_refused(tmp_path: Path) -> None:
    for reference, sentence in [
        ("bound", "as module:name or file.py:name"),
        (f"{tmp_path}/none.py:bound", "got no such file"),
        ("no_such_module:bound", "cannot import 'no_such_module'"),
    ]:
        with pytest.raises(InputError, match=sentence):
            load_claim(reference)


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        ("1 / 0", "bad: expected an Inequality, got ZeroDivisionError: division by zero, on this problem:"),
        ("3.0", "bad: expected an Inequality, got float"),
        ("Inequality(float('nan'), 1.0)", "bad: expected numbers, got nan <= 1.0, on this problem:"),
    ],
)
def test_functions_that_fail_are_told_with_the_problem(returned: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from subtx_toy.claims.vocabulary.claim import Inequality\nfrom subtx_toy.claims.user import claim\n"
        f"@claim(id='bad')\ndef bound(problem, evidence):\n    return {returned}\n"
    )
    with pytest.raises(InputError) as caught:
        verify([load_claim(f"{path}:bound")], drawn(1, seed=0))
    assert sentence in str(caught.value)


def test_problems_are_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "problem.toml"
    path.write_text("hidden = [3, 2]\nnum_inputs = 4\nloss = 'kl'\n")
    assert given(str(path)).spec == ProblemSpec(hidden=(3, 2), num_inputs=4, loss="kl")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hiden = [3]", "hiden: unknown key; did you mean 'hidden'?"),
        ("hidden = 'x'", "hidden: "),
        ("eps = -1.0", "eps: expected a finite number >= 0, got -1.0"),
        ("loss = 'l1'", "loss: expected one of 'squared_error', 'kl', got 'l1'"),
        ("teacher = 'last'", "teacher: expected one of 'trait', 'random', 'last_layer', got 'last'"),
        ("= 3", "not valid TOML"),
    ],
)
def test_toml_that_cannot_be_used_is_told_by_field(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "problem.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        given(str(path))
    assert sentence in str(caught.value)


def test_factories_that_fail_are_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def bad():\n    return 3\ndef worse():\n    raise KeyError('x')\nnothing = 3\n")
    for name, sentence in [("bad", "expected a Problem, got int"), ("worse", "KeyError"), ("nothing", "got int")]:
        with pytest.raises(InputError) as caught:
            given(f"{path}:{name}")
        assert sentence in str(caught.value)
