"""Certificates from Python: what is returned prints well, is saved, proved again, and refused in words."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from subtx_toy.api.certificate import Certificate
from subtx_toy.api.certify import certify, check
from subtx_toy.errors import InputError
from subtx_toy.problem.losses import kl
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from tests.reference.modules import foreign_problem

SPEC = ProblemSpec(
    hidden=(4,), input_dim=3, num_classes=2, num_aux=2, num_inputs=4, num_trait_inputs=3, init="pytorch",
    trait="cross_entropy", loss="kl", distilled_logits="aux", student_lr=1e-6, seed=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def problem() -> Problem:
    return SPEC.build()


@pytest.fixture(scope="module")
def certificate(problem: Problem) -> Certificate:
    return certify(problem, "distance", eps_max=0.01)


def test_a_certificate_says_first_what_is_proved_and_prints_short(certificate: Certificate) -> None:
    lines = repr(certificate).splitlines()
    assert lines[0] == (
        "Proved: the student comes closer to the teacher at student_lr = 1e-06 for every eps in (0, 0.01]."
    )
    assert len(lines) <= 12
    assert "<table>" in certificate._repr_html_()
    assert certificate.document()["eps_certified"] == 0.01
    assert certificate.document()["boxes"] == len(certificate.to_frame()) == len(certificate.boxes)


def test_a_claim_that_fails_from_the_start_is_refuted_at_0(problem: Problem) -> None:
    found = certify(problem, "distance", student_lr=1e9)
    assert found.conclusion == (
        "Refuted at every small enough eps: that the student comes closer to the teacher at student_lr = 1000000000.0."
    )
    assert re.search(r"^observed +0, refuted$", repr(found), flags=re.MULTILINE)
    document = found.document()
    assert (document["eps_one_box"], document["eps_certified"], document["eps_observed"]) == (0, 0, 0)
    assert document["observed_reason"] == "the claim fails at every small enough eps"
    assert document["reason"].startswith("the rate at eps = 0 is proved negative")
    verdict = check(found)
    assert not verdict
    assert verdict.document() == {
        "certificate": None, "verdict": "rejected", "reason": "there are no boxes, so nothing is claimed",
    }  # fmt: skip


def test_a_certificate_is_proved_again_from_memory_and_from_its_file(
    certificate: Certificate, problem: Problem, tmp_path: Path
) -> None:
    certificate.save(tmp_path / "it.cert")
    for one in (certificate, tmp_path / "it.cert", str(tmp_path / "it.cert")):
        verdict = check(one, problem=problem)
        assert verdict
        assert repr(verdict).startswith("proved: distance at student_lr = 1e-06 for every eps in (0, 0.01], ")
    assert verdict.document()["certificate"] == str(tmp_path / "it.cert")
    assert "proved" in verdict._repr_html_()


def test_another_problem_is_rejected_with_the_reason(certificate: Certificate) -> None:
    other = dataclasses.replace(SPEC, seed=7).build()
    assert repr(check(certificate, problem=other)) == (
        "rejected: it is about another problem: the array 'direction.layers.0.bias' differs"
    )
    assert "where the problem has 0.5" in check(certificate, problem=other, student_lr=0.5).reason


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"quantity": "alignmnt"}, "quantity: expected one of .*, got 'alignmnt'; did you mean 'alignment'?"),
        ({"student_lr": -1.0, "order": 1}, "student_lr: expected a finite number > 0, got -1.0\norder: expected an"),
        ({"max_boxes": 0}, "max_boxes: expected an integer >= 1, got 0"),
        ({"seed": 3}, "seed: only the problem 'mnist-teacher' takes one, got 3 with a Problem"),
    ],
)
def test_wrong_settings_are_named_before_any_work(settings: dict[str, object], sentence: str, problem: Problem) -> None:
    with pytest.raises(InputError, match=sentence.replace("?", r"\?")):
        certify(problem, **settings)  # type: ignore[arg-type]


def test_a_wrong_path_and_a_wrong_model_are_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.cert"):
        with pytest.raises(InputError, match="certificate: cannot read"):
            check(path)
    with pytest.raises(InputError, match=r"model: expected a perceptron or a Sequential of Linear, .*, got Recurrent"):
        certify(foreign_problem("gru", kl()))
    with pytest.raises(InputError, match="did you mean 'paper-net'"):
        certify("papernet")


def test_a_problem_may_be_a_description_or_a_path_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("hidden = [3]\nnum_inputs = 2\n", encoding="utf-8")
    spec = ProblemSpec(hidden=(3,), num_inputs=2)
    found = [certify(one, eps_max=0.01) for one in (path, str(path), spec, spec.build())]
    assert {one.eps_certified for one in found} == {0.01}
    assert all(check(found[0], problem=one) for one in (path, spec))
    with pytest.raises(InputError, match="problem: expected a Problem, a TOML file or a factory of one, got int"):
        certify(3)  # type: ignore[arg-type]
