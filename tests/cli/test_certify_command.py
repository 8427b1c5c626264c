from __future__ import annotations

import json
from pathlib import Path

import pytest

from subtx_toy.cli import BAD_INPUT, FAILED, OK, call

PROBLEM = """
hidden = [4]
input_dim = 3
num_classes = 2
num_aux = 2
num_inputs = 4
num_trait_inputs = 3
init = "pytorch"
trait = "cross_entropy"
loss = "kl"
distilled_logits = "aux"
seed = 6
"""


@pytest.fixture
def problem(tmp_path: Path) -> str:
    (tmp_path / "tiny.toml").write_text(PROBLEM, encoding="utf-8")
    return str(tmp_path / "tiny.toml")


def test_a_problem_is_certified_and_checked(problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "it.cert")
    assert call(["certify", problem, "--quantity", "every-batch", "--out", out, "--json"]) == OK
    document = json.loads(capsys.readouterr().out)
    for name in ("eps_closed", "eps_one_box", "eps_certified", "eps_observed", "cap", "bracketed", "boxes", "seconds"):
        assert name in document
    assert document["eps_closed"] <= document["eps_one_box"] <= document["eps_certified"] <= document["eps_observed"]
    assert call(["check", out, "--problem", problem, "--json"]) == OK
    checked = json.loads(capsys.readouterr().out)
    assert checked["verdict"] == "proved"
    assert checked["eps"] == document["eps_certified"]
    assert checked["fingerprint"] == document["fingerprint"]
    assert call(["check", out]) == OK
    assert "proved: every-batch for every eps in (0, " in capsys.readouterr().out


def test_a_rejected_certificate_exits_with_1_and_the_reason(
    problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "it.cert"
    assert call(["certify", problem, "eps_max=0.01", "--out", str(out)]) == OK
    assert "Proved for these float64 numbers" in capsys.readouterr().out
    assert call(["check", str(out), "--problem", "small-net"]) == FAILED
    assert "rejected: it is about another problem" in capsys.readouterr().err
    out.write_bytes(out.read_bytes()[:100])
    assert call(["check", str(out), "--json"]) == FAILED
    assert json.loads(capsys.readouterr().out)["verdict"] == "rejected"
    assert call(["check", str(tmp_path / "none.cert")]) == BAD_INPUT


def test_what_cannot_be_proved_exits_with_1_and_writes_nothing(
    problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "it.cert"
    assert call(["certify", problem, "student_lr=1e9", "--quantity", "distance", "--out", str(out)]) == FAILED
    assert "the rate at eps = 0 is proved negative" in capsys.readouterr().out
    assert not out.exists()


def test_bad_settings_are_named_all_at_once(problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["eps_max=-1", "order=1", "max_box=3", "student_lr"]
    assert call(["certify", problem, *settings]) == BAD_INPUT
    told = capsys.readouterr().err
    for expected in (
        "eps_max: expected a finite number > 0, got -1.0", "order: expected an integer >= 2", "max_box: unknown key",
        "max_boxes", "settings: expected key=value, got 'student_lr'",
    ):  # fmt: skip
        assert expected in told
    assert call(["certify", "no-such-problem"]) == BAD_INPUT
    assert call(["certify", problem, "--out", "/no/such/folder/it.cert"]) == BAD_INPUT
