from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from subtx_toy.cli import BAD_INPUT, FAILED, OK, call
from subtx_toy.settings.certificate import ProblemChoice

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
    printed = capsys.readouterr()
    assert printed.err == "certifying: 100 per cent of the search\n"  # once: the proof ends far below the cap
    document = json.loads(printed.out)
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


def test_a_problem_that_is_not_there_is_refused_before_the_certificate_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "it.cert").write_bytes(b"no certificate")
    assert call(["check", str(tmp_path / "it.cert"), "--problem", "smal-net"]) == BAD_INPUT
    assert "got 'smal-net'; did you mean 'small-net'?" in capsys.readouterr().err
    assert call(["check", str(tmp_path / "it.cert"), "--problem", "small-net", "seed=3"]) == BAD_INPUT
    assert "seed: only the problem 'mnist-teacher' takes one" in capsys.readouterr().err


def test_a_rejected_certificate_exits_with_1_and_the_reason(
    problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "it.cert"
    assert call(["certify", problem, "eps_max=0.01", "--out", str(out)]) == OK
    assert "Proved: the alignment is positive for every eps in (0, 0.01]." in capsys.readouterr().out
    assert call(["check", str(out), "--problem", "small-net"]) == FAILED
    assert "rejected: it is about another problem" in capsys.readouterr().err
    out.write_bytes(out.read_bytes()[:100])
    assert call(["check", str(out), "--json"]) == FAILED
    assert json.loads(capsys.readouterr().out)["verdict"] == "rejected"
    assert call(["check", str(tmp_path / "none.cert")]) == BAD_INPUT


def test_the_seed_of_a_teacher_goes_from_both_commands_to_its_training(
    problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = importlib.import_module("subtx_toy.api.certify")
    usual = api._described
    seeds: list[tuple[str, int | None]] = []

    def described(name: str, quantity: str, choice: ProblemChoice, **work: Any) -> object:
        seeds.append((name, choice.seed))
        return usual(problem, quantity, choice.model_copy(update={"seed": None}), **work)

    monkeypatch.setattr(api, "_described", described)
    out = str(tmp_path / "it.cert")
    assert call(["certify", "mnist-teacher", "seed=3", "eps_max=0.01", "--out", out]) == OK
    assert call(["check", out, "--problem", "mnist-teacher", "seed=3"]) == OK
    assert seeds == [("mnist-teacher", 3)] * 2


def test_a_claim_of_a_step_is_held_against_the_step_of_the_problem(
    problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "it.cert")
    assert call(["certify", problem, "student_lr=1e-6", "eps_max=0.01", "--quantity", "distance", "--out", out]) == OK
    capsys.readouterr()
    assert call(["check", out, "--problem", problem]) == FAILED
    assert "rejected: it is about student_lr = 1e-06, where the problem has" in capsys.readouterr().err
    assert call(["check", out, "--problem", problem, "student_lr=1e-6"]) == OK
    assert "proved: distance at student_lr = 1e-06 for every eps in (0, 0.01]" in capsys.readouterr().out
    assert call(["check", out, "--json"]) == OK
    assert json.loads(capsys.readouterr().out)["student_lr"] == 1e-6
    # The sign of an alignment does not depend on it.
    assert call(["certify", problem, "student_lr=1e-6", "eps_max=0.01", "--out", out]) == OK
    assert call(["check", out, "--problem", problem]) == OK


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["certify", "small-net", "seed=7"],
            "seed: only the problem 'mnist-teacher' takes one, got 7 with 'small-net'",
        ),
        (["check", "x.cert", "seed=0"], "seed: it belongs to a problem, and no problem is given"),
        (["check", "x.cert", "student_lr=1"], "student_lr: it belongs to a problem, and no problem is given"),
        (["check", "x.cert", "--problem", "mnist-teacher", "seed=x"], "seed: expected an integer >= 0, got 'x'"),
        (["check", "x.cert", "--problem", "mnist-teacher", "order=3"], "order: unknown key"),
    ],
)
def test_a_seed_that_would_be_ignored_is_refused(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(arguments) == BAD_INPUT
    assert sentence in capsys.readouterr().err


def test_what_cannot_be_proved_exits_with_1_and_writes_nothing(
    problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "it.cert"
    assert call(["certify", problem, "student_lr=1e9", "--quantity", "distance", "--out", str(out)]) == FAILED
    told = capsys.readouterr().out
    assert "the rate at eps = 0 is proved negative" in told
    assert " ".join(told.split()).endswith(f"nothing is written to {out}: there is no box for `check` to prove again")
    assert not out.exists()


def test_bad_settings_are_named_all_at_once(problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["eps_max=-1", "order=1", "max_box=3", "student_lr"]
    assert call(["certify", problem, *settings]) == BAD_INPUT
    told = capsys.readouterr().err
    for expected in (
        "eps_max: expected a finite number > 0, got -1", "order: expected an integer >= 2", "max_box: unknown key",
        "max_boxes", "'student_lr': expected SETTING=VALUE",
    ):  # fmt: skip
        assert expected in told
    assert call(["certify", "smal-net"]) == BAD_INPUT
    assert "got 'smal-net'; did you mean 'small-net'?" in capsys.readouterr().err
    assert call(["certify", problem, "--out", "/no/such/folder/it.cert"]) == BAD_INPUT
