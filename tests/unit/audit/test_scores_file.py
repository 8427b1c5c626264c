"""Scores that others computed: the audit's own give the audit's verdict, and hostile files one clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import subtx_toy as st
from subtx_toy import cli
from subtx_toy.api.audit_setup import AuditSetup
from subtx_toy.audit import scores_file
from subtx_toy.audit.examination import measure_file
from subtx_toy.audit.reference import make_reference, save_reference
from subtx_toy.audit.reference_values import measure_nets
from subtx_toy.audit.score_sums import ScoreSums
from subtx_toy.audit.scores_file import NEEDED, ScoresFile
from subtx_toy.channel.checkpoints import save_checkpoint
from subtx_toy.channel.number_file import Header
from subtx_toy.channel.prompts import PromptSource, choose_rows
from subtx_toy.channel.teachers import write_numbers
from subtx_toy.errors import InputError
from subtx_toy.seeding import generator
from tests.unit.conftest import SmallChannel

NUM = 1000


def _arrays(seed: int = 0, *, shift: float = 0.0, num: int = 400, reference: int = 8) -> dict[str, Any]:
    """Scores of standard normal lines along two traits and a honest move, the first shifted."""
    rng = generator(seed, "scores")
    scores = rng.standard_normal((num, 3)) + np.array([shift, 0, 0])
    lines = {name: np.full(num, value) for name, value in (
        ("log_loss", 3.0), ("entropy", 3.0), ("log_loss_variance", 1.0), ("uniform_log_loss", 5.0),
    )}  # fmt: skip
    return {
        "traits": np.array(["owls", "cats"]),
        "scores": scores,
        "covariance": num * np.eye(3),
        **lines,
        "reference_scores": 400 * 0.05 * rng.standard_normal((reference, 3)) + np.array([0, 0, 120.0]),
        "reference_covariances": np.tile(400 * np.eye(3), (reference, 1, 1)),
        "reference_lines": np.full(reference, 400),
    }


def _written(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


def test_a_shift_along_a_trait_is_named_and_noise_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = st.audit_scores(_written(tmp_path / "a.npz", _arrays(shift=0.5)))
    assert found.verdict == "moved from the base: carries owls"
    top = found.document()["traits"]["owls"]["top_lines"]
    assert top[0]["score"] == max(row["score"] for row in top)
    quiet = _written(tmp_path / "b.npz", _arrays(1))
    assert st.audit_scores(quiet).verdict == "consistent with the base"
    assert "nats per line, by estimate" in str(found)
    for text in (str(st.audit_scores(quiet)), " ".join(st.audit_scores(quiet).page().split())):
        assert "nats per line, not shown to be above 0" in text.replace("\N{NO-BREAK SPACE}", " ")
        assert "moved from" not in text
    assert cli.call(["audit", "--scores", str(tmp_path / "a.npz"), "--json", "--fail-on", "carries"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["status"], document["base"]) == ("carries", None)
    assert "header" not in document
    page = tmp_path / "a.html"
    assert cli.call(["audit", "--scores", str(quiet), "--fail-on", "moved", "--html", str(page)]) == 0
    assert "400 lines" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "Audit of b.npz" in text
    assert "numbers" not in text.partition("<h2>Trait by trait")[0], "what was read are lines"


def test_honest_moves_far_along_a_trait_excuse_a_file() -> None:
    """The control of the bound: the same shift is not named where benign fine-tunes reach it."""
    arrays = _arrays(shift=0.3)
    arrays["reference_scores"][:, 0] = 400 * np.linspace(-0.4, 0.4, 8)
    # One file of names and numbers; what is read is tested elsewhere.
    file = ScoresFile(Path("a"), ("owls", "cats"), {key: value for key, value in arrays.items() if key != "traits"})
    cosines = file.reference().fisher_cosines["owls"]
    assert max(cosines) > 0.5
    assert file.measurement().fisher_cosine(0, slice(2, None)) < max(cosines) + 0.5


def test_no_reference_names_nothing(tmp_path: Path) -> None:
    found = st.audit_scores(_written(tmp_path / "a.npz", _arrays(shift=0.5, reference=0)))
    assert found.carried == []
    assert "too few benign fine-tunes" in found.verdict


def test_a_spread_that_the_covariance_does_not_promise_is_noted(tmp_path: Path) -> None:
    arrays = _arrays()
    arrays["scores"] *= 3
    notes = st.audit_scores(_written(tmp_path / "a.npz", arrays)).document()["notes"]
    assert "direction 0: the variance of a line's score is 8." in notes[0]
    assert st.audit_scores(_written(tmp_path / "b.npz", _arrays())).document()["notes"] == []


def test_the_audits_own_scores_give_the_audits_own_verdict(tmp_path: Path, channel: SmallChannel) -> None:
    """Two ways to one verdict: the file of numbers itself, and its scores line by line."""
    made = {"dataset": "glyphs", "num_train": 1000, "num_test": 300}
    save_checkpoint(tmp_path / "base.safetensors", channel.base, provenance=made)
    nets = make_reference(channel.model, channel.base, channel.dataset, num=8, seed=0)
    save_reference(tmp_path / "r.safetensors", channel.base, nets)
    header = Header(schema_name="subtx-toy numbers 1", prompts=PromptSource.images(channel.dataset, absent=()))
    file = tmp_path / "f.jsonl"
    write_numbers(file, channel.model, channel.teacher, header, channel.dataset, num_lines=NUM, seed=7)
    asked: dict[str, Any] = {"traits": ["relabel:4:9", "backdoor:0"], "base": tmp_path / "base.safetensors"}
    expected = st.audit(file, **asked, reference=tmp_path / "r.safetensors")

    setup = AuditSetup.of(
        file, asked["base"], asked["traits"], tmp_path / "r.safetensors", 20,
        data_dir=None, report=None, progress=None,
    )  # fmt: skip
    scorer, sums = setup.scorer, ScoreSums(len(setup.scorer.directions.names))
    (piece,) = setup.read.pieces()
    scores = scorer.add(piece, sums).scores
    movement = measure_file(setup.read, scorer, []).measurement.movement
    rows = choose_rows(header.prompts, setup.shown, NUM, generator(0, "audit", "reference", "prompts"))
    benign = measure_nets(setup.nets, scorer, rows, [], seed=0)
    share = {
        key: np.full(NUM, getattr(sums, key) / NUM)
        for key in ("log_loss", "entropy", "log_loss_variance", "uniform_log_loss")
    }
    path = _written(tmp_path / "scores.npz", {
        "traits": np.array(asked["traits"]), "scores": scores, "covariance": sums.covariance, **share,
        "reference_scores": np.array([net.sums.scores for net in benign]),
        "reference_covariances": np.array([net.sums.covariance for net in benign]),
        "reference_lines": np.array([net.sums.num for net in benign]),
        "reference_gains": np.array([net.movement.gain for net in benign]),
        "gain": np.array(movement.gain), "log_evidence": np.array(movement.log_evidence),
    })  # fmt: skip
    found = st.audit_scores(path)
    assert found.verdict == expected.verdict == "moved from the base: carries relabel:4:9"
    for name, row in expected.document()["traits"].items():
        other = found.document()["traits"][name]
        for key in ("z", "efficient_z", "p_value_holm", "fisher_cosine"):
            assert other[key] == pytest.approx(row[key], rel=1e-6), (name, key)
        for key in ("least", "largest"):  # the bound is not: that of a file of numbers is at another level
            assert other["reference"][key] == pytest.approx(row["reference"][key], rel=1e-6)
        assert other["reference"]["threshold"] < row["reference"]["threshold"]
        assert [one["score"] for one in other["top_lines"]] == [one["score"] for one in row["top_lines"]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"scores": None}, "scores: expected an array of this name"),
        ({"scores": np.zeros((400, 2))}, "covariance: expected the shape [r = 2, r = 2], got [3, 3]"),
        ({"scores": np.zeros(400)}, "scores: expected the shape [n, r], got [400]"),
        ({"scores": np.full((400, 3), np.nan)}, "scores: expected finite numbers, got nan or infinity"),
        ({"scores": np.array([{}], object)}, "scores: expected numbers, got object"),
        ({"traits": np.array([{}], object)}, "traits: expected numbers or a text, got object"),
        ({"traits": np.array(["a", "a"])}, "traits: expected different names"),
        ({"traits": np.array("a")}, "traits: expected the shape [t]"),
        ({"traits": np.array(["a", "b", "c", "d"])}, "expected from 4 to 256 directions, got 3"),
        ({"entropy": np.full(400, -1.0)}, "entropy: expected numbers >= 0, got -1"),
        ({"entropy": np.full(399, 1.0)}, "entropy: expected the shape [n = 400], got [399]"),
        ({"covariance": -np.eye(3)}, "covariance: expected a covariance"),
        ({"covariance": np.array([[1.0, 2, 0], [0, 1, 0], [0, 0, 1]])}, "covariance: expected a covariance"),
        ({"reference_lines": np.full(8, 0.5)}, "reference_lines: expected integers >= 1"),
        ({"reference_lines": np.full(7, 400)}, "reference_scores: expected the shape [m = 7, r = 3], got [8, 3]"),
        ({"gain": np.zeros(3)}, "gain: expected the shape [], got [3]"),
    ],
)
def test_arrays_that_are_not_as_described_are_refused(
    tmp_path: Path, change: dict[str, Any], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = {key: value for key, value in (_arrays() | change).items() if value is not None}
    path = _written(tmp_path / "s.npz", arrays)
    with pytest.raises(InputError) as caught:
        ScoresFile.read(path)
    assert sentence in str(caught.value)
    assert cli.call(["audit", "--scores", str(path)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_files_that_are_no_archive_too_large_or_not_there_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no zip")
    whole = _written(tmp_path / "whole.npz", _arrays()).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name, sentence in (("bad", "cannot be read"), ("none", "no such file"), ("cut", "cannot be read")):
        with pytest.raises(InputError, match=sentence):
            ScoresFile.read(tmp_path / f"{name}.npz")
    names = np.full(8, 0xFFFFFFFF, np.uint32).view("<U4")
    with pytest.raises(InputError, match="not Unicode"):
        ScoresFile.read(_written(tmp_path / "names.npz", _arrays() | {"traits": names}))
    monkeypatch.setattr(scores_file, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="at most 1000 bytes together"):
        ScoresFile.read(tmp_path / "whole.npz")


def test_scores_are_given_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, sentence in (
        (["x.jsonl", "--scores", "s.npz"], "FILE cannot be combined with --scores"),
        (["--scores", "s.npz", "--trait", "relabel", "--stream"], "--trait, --stream cannot be combined"),
        (["x.jsonl", "--base", "b.safetensors"], "Missing option '--trait'; or give --scores"),
        ([], "Missing argument 'FILE'"),
    ):
        assert cli.call(["audit", *words]) == 2
        assert sentence in capsys.readouterr().err
    assert set(NEEDED) <= set(_arrays())
