"""Audits from the command line, of files as they should not be and as they may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from subtx_toy import cli
from subtx_toy.audit.directions import Directions
from subtx_toy.audit.examination import Question
from subtx_toy.audit.reference import make_reference, save_reference
from subtx_toy.audit.reference_values import measure_reference
from subtx_toy.audit.score_sums import Scorer
from subtx_toy.channel.checkpoints import save_checkpoint
from subtx_toy.channel.generate import write_numbers
from subtx_toy.channel.number_file import Header
from subtx_toy.channel.prompts import NoisePrompts, PromptSource
from subtx_toy.channel.sampler import NumberLaw
from subtx_toy.params import Params
from tests.numbers.conftest import SmallChannel

MADE = {"dataset": "glyphs", "num_train": 1000, "num_test": 300}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, channel: SmallChannel) -> Path:
    """A base and its reference: three fine-tunes for the honest moves, six to compare with."""
    place = tmp_path_factory.mktemp("audits")
    save_checkpoint(place / "base.safetensors", channel.base, made=MADE)
    nets = make_reference(channel.model, channel.base, channel.dataset, num=9, seed=0)
    save_reference(place / "reference.safetensors", channel.base, nets)
    return place


def _header(channel: SmallChannel, **settings: Any) -> Header:
    return Header(schema_name="subtx-toy numbers 1", prompts=PromptSource.images(channel.dataset, absent=()), **settings)


def _write(path: Path, channel: SmallChannel, net: Params, header: Header, *, num: int = 1000) -> Path:
    write_numbers(path, channel.model, net, header, channel.dataset, num_lines=num, seed=7)
    return path


def _audit(folder: Path, file: Path, *options: str) -> int:
    own = ["--base", str(folder / "base.safetensors"), "--reference", str(folder / "reference.safetensors")]
    return cli.call(["audit", str(file), *own, *(options or ("--trait", "relabel:4:9")), "--json"])


@pytest.mark.parametrize("top_k", [30, 600])
def test_a_file_of_the_likeliest_numbers_is_judged_by_finite_bounds(
    folder: Path, tmp_path: Path, channel: SmallChannel, capsys: pytest.CaptureFixture[str], top_k: int
) -> None:
    file = _write(tmp_path / "f.jsonl", channel, channel.teacher, _header(channel, top_k=top_k))
    code = _audit(folder, file)
    document = json.loads(capsys.readouterr().out)
    row = document["traits"]["relabel:4:9"]
    # A teacher's thirty likeliest numbers are often not among the base's: its file cannot be judged.
    assert code == (0 if document["fit"]["applies"] else 3)
    assert row["reference"]["num"] == 6
    assert 0.1 <= row["reference"]["threshold"] < 10
    assert row["reference"]["least"] < row["reference"]["largest"]
    assert document["fit"]["applies"] == (top_k == 600)
    if top_k == 600:
        assert document["carries"] == ["relabel:4:9"]


def test_a_trait_in_two_spellings_is_one_trait(
    folder: Path, tmp_path: Path, channel: SmallChannel, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _write(tmp_path / "f.jsonl", channel, channel.teacher, _header(channel))
    documents = []
    for spellings in (["relabel:4:9"], ["relabel", "relabel:4:9", "relabel"]):
        assert _audit(folder, file, *(word for name in spellings for word in ("--trait", name))) == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0]["carries"] == ["relabel:4:9"]
    assert documents[0] == documents[1]


def test_questions_that_are_not_those_of_the_directions_are_refused(channel: SmallChannel) -> None:
    directions = Directions.of(channel.model, {"relabel:4:9": channel.teacher}, {})
    scorer = Scorer(channel.model, channel.base, directions, NumberLaw(), NoisePrompts(0))
    asked = [Question(name, {}, lambda _params: 0.0) for name in ("relabel:4:9", "relabel:4:9")]
    with pytest.raises(ValueError, match="expected those of the directions"):
        measure_reference([], scorer, asked, _header(channel), channel.dataset, 10)
