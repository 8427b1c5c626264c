"""``subtx-toy verify`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from subtx_toy import cli
from subtx_toy.claims.registry import CLAIMS

BOUNDS = """
from subtx_toy.claims.vocabulary.claim import Inequality
from subtx_toy.claims.user import claim

@claim(id="too good")
def too_good(problem, evidence):
    "V <= ||dT||^2."
    return Inequality(evidence.V, evidence.dT_norm**2)
"""
FACTORY = """
from torch import nn
import torch
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.losses import kl
from subtx_toy.problem.trait_loss import cross_entropy_trait

def small():
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 12).reshape(4, 3).double()
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    return Problem(model=module, inputs=x, distillation_loss=kl(), eps=0.01, student_lr=0.1,
                   trait_loss=cross_entropy_trait(x, torch.tensor([0, 1, 2, 0])))
"""


def _run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = cli.call(["verify", *arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


UNSEEN = """
from subtx_toy.claims.controls.constructed import free_logits
from subtx_toy.problem.losses import kl


def alike():
    return free_logits((0.0, 0.0), (1.0, 1.0), kl())
"""


def test_what_rounding_leaves_open_without_a_bound_is_a_null(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "unseen.py").write_text(UNSEEN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code, out, err = _run(["unseen.py:alike", "--json"], capsys)
    assert code == 0, err
    found = {one["id"]: one for one in json.loads(out)["claims"]}
    assert (found["C1b"]["verdict"], found["C1b"]["undecided_bound"]) == ("undecided", None)
    code, out, _ = _run(["unseen.py:alike"], capsys)
    assert code == 0
    assert "undecided" in out


def test_json_is_one_document_with_every_claim_and_control(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(["--instances", "12", "--json"], capsys)
    assert code == 0, err
    document = json.loads(out)
    assert [one["id"] for one in document["claims"]][:3] == ["C1", "C1b", "C2"]
    assert len(document["claims"]) == len(CLAIMS)
    for one in document["claims"]:
        assert one["verdict"] in ("holds", "not applicable", "undecided")
        assert one["applicable"] <= one["instances"] <= 12
        assert one["worst_margin"] is None or one["worst_margin"] >= 0
    assert document["checks_per_second"] > 0
    assert len(document["controls"]) >= 24
    assert all(one["failed_as_it_must"] for one in document["controls"])
    assert all(0 <= one["interval"][0] <= one["interval"][1] <= 1 for one in document["controls"])
    assert "12 problems" in err


def test_table_has_one_row_a_claim(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(["--claims", "C1,C4", "--instances", "5", "--seed", "3"], capsys)
    assert code == 0
    conclusion, *lines = out.splitlines()
    assert conclusion == "2 of 2 claims hold."
    rows = [line.split() for line in lines]
    assert [row[0] for row in rows[:3]] == ["claim", "C1", "C4"]
    assert rows[1][-1] == rows[2][-1] == "holds"


def test_a_false_bound_exits_1_and_prints_a_snippet_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(BOUNDS)
    code, out, _ = _run(["--claims", f"C5,{path}:too_good", "--instances", "60"], capsys)
    assert code == 1
    assert "too good is violated" in out
    snippet = out[out.index("from subtx_toy.problem.spec") :]
    exec(snippet, {})


def test_a_module_of_the_users_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FACTORY)
    code, out, _ = _run([f"{path}:small", "--json"], capsys)
    assert code == 0
    verdicts = {one["id"]: one["verdict"] for one in json.loads(out)["claims"]}
    assert {verdicts[id] for id in ("C1", "C1b", "C2", "C3", "C4", "C5", "C7", "C14")} == {"holds"}
    assert verdicts["C13"] == "not applicable"


def test_a_run_in_which_nothing_was_decided_says_so_and_exits_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FACTORY)
    code, out, _ = _run([f"{path}:small", "--claims", "C13"], capsys)
    assert code == 0
    assert out.splitlines()[0] == "0 of 1 claim hold, 1 not applicable: nothing was decided."
    assert "worst margin" not in out
    code, out, _ = _run([f"{path}:small", "--claims", "C1,C13"], capsys)
    assert out.splitlines()[0] == "1 of 2 claims holds, 1 not applicable."


def test_claims_that_share_a_reason_share_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "problem.toml"
    path.write_text('hidden = [4]\nactivation = "relu"\n')
    _, out, _ = _run([str(path), "--claims", "C1,C4,C5,C13"], capsys)
    assert "\nC1, C4, C13 are not applicable: they ask that the model is twice continuously differentiable: " in out
    assert out.count("not applicable: ") == 1


def test_a_problem_in_toml_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "problem.toml"
    path.write_text("hidden = [4]\nnum_inputs = 3\n")
    code, out, _ = _run([str(path), "--claims", "C1,C2,C3"], capsys)
    assert code == 0
    assert out.count("holds") == 3


def test_list_prints_statements_hypotheses_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(["--list"], capsys)
    assert code == 0
    assert "C7c: Any three times differentiable loss" in out
    assert "arXiv:2507.14805" in out
    code, out, _ = _run(["--list", "--json"], capsys)
    assert len(json.loads(out)) == len(CLAIMS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--claims", "C99"], "claims: expected one of C1, C1b"),
        (["--claims", "C1,C1"], "claims: expected each id once, got 'C1' twice"),
        (["--claims", "none.py:bound"], "got no such file"),
        (["--instances", "0"], "0 is not in the range"),
        (["nowhere.toml"], "cannot read 'nowhere.toml'"),
        (["nowhere"], "expected a TOML file or a factory"),
        (["nowhere.toml", "--instances", "3"], "instances: cannot be combined with a problem of your own"),
    ],
)
def test_bad_usage_exits_2(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(arguments, capsys)
    assert code == 2
    assert out == ""
    assert sentence in " ".join(err.split())


def test_a_factory_with_seeds_writes_its_rungs_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "seeded.py").write_text(FACTORY.replace("small():", "small(seed=0):"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = ["--module", "seeded.py:small", "--seeds", "0:2", "--claims", "C1", "--csv", "r.csv", "--latex", "r.tex"]
    code, out, _ = _run([*words, "--figure", "r.png", "--json"], capsys)
    assert code == 0
    assert (json.loads(out)["instances"], len(json.loads(out)["rungs"])) == (2, 12)
    assert len((tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()) == 13
    assert r"\bottomrule" in (tmp_path / "r.tex").read_text(encoding="utf-8")
    assert (tmp_path / "r.png").read_bytes()[:4] == b"\x89PNG"
    code, _, err = _run(["welch", "--module", "seeded.py:small"], capsys)
    assert code == 2
    assert "--module cannot be combined with PROBLEM" in err
    code, _, err = _run(["welch", "--claims", "C1", "--figure", "r.txt"], capsys)
    assert code == 2
    assert "expected a name ending in .png, .pdf or .svg" in err
