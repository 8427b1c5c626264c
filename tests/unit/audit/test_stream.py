"""Streams: alarms for a teacher's lines, none for the base's, and the same evidence as from a plain loop."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from subtx_toy import cli
from subtx_toy.api.selftest import Check, SelfTest, selftest
from subtx_toy.api.stream import audit_stream
from subtx_toy.audit.directions import Directions, honest_moves, number_tangents, taught_move
from subtx_toy.audit.e_process import BETS
from subtx_toy.audit.reference import make_reference, save_reference
from subtx_toy.audit.score_sums import Scorer
from subtx_toy.audit.stream import MOVED, NO_EVIDENCE, UNKNOWN, read_stream
from subtx_toy.channel.checkpoints import save_checkpoint
from subtx_toy.channel.number_file import Header, NumberFile
from subtx_toy.channel.number_text import Fault
from subtx_toy.channel.prompts import PromptSource
from subtx_toy.channel.teachers import write_numbers
from subtx_toy.channel.traits import trait
from subtx_toy.errors import InputError
from subtx_toy.problem.params import Params
from subtx_toy.tolerances import FP32_EVIDENCE
from subtx_toy.training.inputs import ImageInputs
from tests.unit.conftest import SmallChannel

MADE = {"dataset": "glyphs", "num_train": 1000, "num_test": 300}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, channel: SmallChannel) -> Path:
    """A base, a small reference, and files of the teacher, the base and a stranger."""
    place = tmp_path_factory.mktemp("streams")
    save_checkpoint(place / "base.safetensors", channel.base, provenance=MADE)
    nets = make_reference(channel.model, channel.base, channel.dataset, num=3, seed=0)
    save_reference(place / "reference.safetensors", channel.base, nets)
    for name, net in (("teacher", channel.teacher), ("base", channel.base), ("stranger", channel.other_base)):
        _write(place / f"{name}.jsonl", channel, net, num=600)
    return place


@pytest.fixture(scope="module")
def scorer(channel: SmallChannel) -> Scorer:
    """Along one trait and one honest move."""
    taught = trait("relabel:4:9").lesson(channel.dataset.train_images, channel.dataset.train_labels)
    directions = Directions.of(
        channel.model,
        {"relabel:4:9": taught_move(channel.model, channel.base, taught)},
        honest_moves(channel.model, channel.base, [channel.benign]),
    )
    header = _header(channel)
    inputs = ImageInputs(channel.dataset.train_images, dtype=torch.float32)
    return Scorer(channel.model, channel.base, directions, header.law, inputs)


def _header(channel: SmallChannel) -> Header:
    return Header(schema_name="subtx-toy numbers 1", prompts=PromptSource.images(channel.dataset, absent=()))


def _write(path: Path, channel: SmallChannel, net: Params, *, num: int, seed: int = 7) -> Path:
    write_numbers(path, channel.model, net, _header(channel), channel.dataset, num_lines=num, lengths=(1, 3), seed=seed)
    return path


def test_a_teacher_alarms_early_a_base_does_not_and_a_stranger_is_no_fine_tune(folder: Path, scorer: Scorer) -> None:
    found = {
        name: read_stream(NumberFile(folder / f"{name}.jsonl"), scorer, level=0.05)
        for name in ("teacher", "base", "stranger")
    }
    assert [one.decision for one in found.values()] == [MOVED, NO_EVIDENCE, UNKNOWN]
    assert found["teacher"].process.lines < 600
    assert found["teacher"].log_e_values_whole[0] > found["teacher"].log_e_values[0]
    assert found["teacher"].moved_towards == (), "most of the move is also an honest one"
    assert found["base"].process.lines == 600
    assert found["base"].moved_towards == ()
    alone = replace(scorer, directions=_first(scorer.directions))
    found_alone = read_stream(NumberFile(folder / "teacher.jsonl"), alone, level=0.05)
    assert found_alone.moved_towards == (0,), "without honest moves nothing is taken out"
    assert found_alone.process.log_wealth.shape == (1, len(BETS))


def _first(directions: Directions) -> Directions:
    rows = (tuple(one[:1] for one in kind) for kind in (directions.weights, directions.biases))
    return Directions(directions.names[:1], 1, *rows)


def test_the_evidence_is_that_of_a_plain_loop(folder: Path, scorer: Scorer) -> None:
    """One line after another, with the means by plain sums over the thousand numbers."""
    file = NumberFile(folder / "base.jsonl")
    found = read_stream(file, scorer, level=1e-9)
    entries = [content for _, content in file.entries() if not isinstance(content, Fault)]
    wealth, F, count = np.zeros((2, len(BETS))), np.zeros((2, 2)), 0
    laws: dict[int, tuple[np.ndarray, np.ndarray, list[int]]] = {}
    for number, (prompt, numbers) in enumerate(entries):
        x = scorer.inputs.gather(np.array([prompt]))
        z, tangents = number_tangents(scorer.model, scorer.base, scorer.directions, x)
        laws[number] = (torch.softmax(z.double(), -1)[0].numpy(), tangents[:, 0].double().numpy(), numbers)
    for p, v, numbers in laws.values():  # the first piece of 512 numbers or a few more fixes the direction
        centred = v - (v @ p)[:, None]
        F += len(numbers) * (centred * p) @ centred.T
        count += len(numbers)
        if count >= 512:
            break
    for row, weight in enumerate((F[0, 1] / F[1, 1], 0.0)):  # the trait's own part, and the whole direction
        spread = math.sqrt((F[0, 0] - F[0, 1] * weight) / count)
        for p, v, numbers in laws.values():
            score = v[0] - weight * v[1]
            for index, bet in enumerate(BETS):
                normaliser = float((p * np.exp(bet / spread * (score - score.mean()))).sum())
                gains = [bet / spread * (score[y] - score.mean()) - math.log(normaliser) for y in numbers]
                wealth[row, index] += sum(gains)
    np.testing.assert_allclose(found.process.log_wealth, wealth, rtol=FP32_EVIDENCE, atol=FP32_EVIDENCE)
    assert wealth[0, 0] > 0.01, "not only losses"


def test_the_document_holds_what_it_promises_and_the_command_prints_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--base", str(folder / "base.safetensors"), "--reference", str(folder / "reference.safetensors")]
    asked = ["--trait", "relabel:4:9", "--stream", "--json"]
    codes, documents = [], []
    for name in ("teacher", "base", "stranger"):
        codes.append(cli.call(["audit", str(folder / f"{name}.jsonl"), *own, *asked, "--fail-on", "moved"]))
        documents.append(json.loads(capsys.readouterr().out))
    assert codes == [1, 0, 3]
    assert [one["status"] for one in documents] == ["moved", "no evidence", "does not apply"]
    teacher = documents[0]
    assert teacher["decision"] == MOVED
    assert 0 < teacher["lines_used"] < 600
    assert teacher["log_e_value"] >= teacher["alarm_at"] == pytest.approx(math.log(20))
    row = teacher["traits"]["relabel:4:9"]
    assert row["log_e_value_whole"] > teacher["alarm_at"]
    assert row["moved_towards"] == (row["log_e_value"] >= teacher["alarm_at"])
    assert teacher["provenance"]["reference"] == "reference.safetensors"
    assert cli.call(["audit", str(folder / "teacher.jsonl"), *own, *asked[:-1]]) == 0
    assert "an honest fine-tune moves too" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--stream", "--probe"], "--probe cannot be combined with --stream"),
        (["--stream", "--fail-on", "carries"], "use --fail-on moved"),
        (["--level", "0.1"], "--level needs --stream"),
        (["--stream", "--level", "1"], "--level"),
    ],
)
def test_options_that_say_nothing_together_are_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.call(["audit", "x.jsonl", "--base", "b.safetensors", "--trait", "relabel", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_level_is_a_probability() -> None:
    with pytest.raises(InputError, match="level: expected a number between 0 and 1, got 2"):
        audit_stream("x", base="b", traits=["relabel"], level=2)


@pytest.mark.slow
def test_the_selftest_passes() -> None:
    found = selftest()
    assert found.ok, found.table


@pytest.mark.parametrize(("came", "code"), [("relabel:4:9", 0), ("no trait", 1)])
def test_a_selftest_that_misses_its_trait_fails(
    came: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = (Check("a tainted file", "relabel:4:9", came), Check("a clean file", "no trait", "no trait"))
    monkeypatch.setattr("subtx_toy.api.selftest.selftest", lambda **_keywords: SelfTest(checks, 2.0, 1.0))
    assert cli.call(["audit", "selftest", "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] == (code == 0)
    assert [one["ok"] for one in document["checks"]] == [code == 0, True]
    assert cli.call(["audit", "selftest", "--base", "b"]) == 2
    assert "--base cannot be combined with audit selftest" in capsys.readouterr().err
