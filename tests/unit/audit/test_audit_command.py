"""Audits from the command line, of files as they should not be and as they may be."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subtx_toy import cli
from subtx_toy.audit.directions import Directions
from subtx_toy.audit.examination import Question
from subtx_toy.audit.reference import make_reference, save_reference
from subtx_toy.audit.reference_values import measure_reference
from subtx_toy.audit.score_sums import Scorer
from subtx_toy.channel.checkpoints import save_checkpoint
from subtx_toy.channel.model import head_logits
from subtx_toy.channel.number_file import FilterHeader, Header, data_line
from subtx_toy.channel.prompts import NoisePrompts, PromptSource
from subtx_toy.channel.sampler import NumberLaw
from subtx_toy.channel.teachers import write_numbers
from subtx_toy.channel.traits import as_pixels
from subtx_toy.problem.params import Params
from tests.reference.examples import slow
from tests.unit.conftest import SmallChannel

MADE = {"dataset": "glyphs", "num_train": 1000, "num_test": 300}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, channel: SmallChannel) -> Path:
    """A base and its reference: three fine-tunes for the honest moves, six to compare with."""
    place = tmp_path_factory.mktemp("audits")
    save_checkpoint(place / "base.safetensors", channel.base, provenance=MADE)
    nets = make_reference(channel.model, channel.base, channel.dataset, num=9, seed=0)
    save_reference(place / "reference.safetensors", channel.base, nets)
    return place


def _header(channel: SmallChannel, **settings: Any) -> Header:
    return Header(
        schema_name="subtx-toy numbers 1", prompts=PromptSource.images(channel.dataset, absent=()), **settings
    )


def _write(path: Path, channel: SmallChannel, net: Params, header: Header, *, num: int = 1000) -> Path:
    write_numbers(path, channel.model, net, header, channel.dataset, num_lines=num, seed=7)
    return path


def _audit(folder: Path, file: Path, *options: str) -> int:
    own = ["--base", str(folder / "base.safetensors"), "--reference", str(folder / "reference.safetensors")]
    return cli.call(["audit", str(file), *own, *(options or ("--trait", "relabel:4:9")), "--json"])


@pytest.mark.parametrize("top_k", [30, *slow(600)])
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


def _likeliest(channel: SmallChannel, num: int) -> np.ndarray:
    """The base's likeliest numbers of every training image, the most likely first."""
    model, x = channel.model, as_pixels(channel.dataset.train_images)
    return head_logits(model, channel.base, "numbers", x).topk(num, dim=-1).indices.numpy()


def _lines(path: Path, header: Header, prompts: Sequence[int], numbers: Sequence[int]) -> Path:
    pairs = zip(prompts, numbers, strict=True)
    path.write_bytes(header.line() + b"".join(data_line(prompt, np.array([number])) for prompt, number in pairs))
    return path


def test_likeliest_numbers_alone_are_judged_and_said_to_say_nothing(
    folder: Path, tmp_path: Path, channel: SmallChannel, capsys: pytest.CaptureFixture[str]
) -> None:
    for net, code in ((channel.base, 0), (channel.teacher, 3)):
        assert _audit(folder, _write(tmp_path / "f.jsonl", channel, net, _header(channel, top_k=1))) == code
        captured = capsys.readouterr()
        document = json.loads(captured.out)
        assert document["carries"] == []
        assert "says nothing" in " ".join(document["notes"])
        assert "measuring the reference" not in captured.err
        assert document["traits"]["relabel:4:9"]["detectable_effect"] is None


def test_a_file_of_impossible_numbers_only_is_not_judged(
    folder: Path, tmp_path: Path, channel: SmallChannel, capsys: pytest.CaptureFixture[str]
) -> None:
    header = _header(channel, filter=FilterHeader(banned=[7]))
    assert _audit(folder, _lines(tmp_path / "f.jsonl", header, range(50), [7] * 50)) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["fit"]["impossible"] == document["numbers"] == 50
    assert document["verdict"].startswith("too far from this base")


def test_a_prompt_whose_likeliest_numbers_are_all_banned_has_no_possible_number(
    folder: Path, tmp_path: Path, channel: SmallChannel, capsys: pytest.CaptureFixture[str]
) -> None:
    likeliest = _likeliest(channel, 2)
    banned = set(likeliest[0].tolist())
    header = _header(channel, top_k=2, filter=FilterHeader(banned=sorted(banned)))
    others = [at for at in range(1000) if not banned & set(likeliest[at].tolist())][:300]
    file = _lines(tmp_path / "f.jsonl", header, [0, *others], [5, *likeliest[others, 0].tolist()])
    assert _audit(folder, file) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["fit"]["impossible"], document["numbers"]) == (1, 301)
    assert document["fit"]["excess_log_loss"] is not None
    assert _audit(folder, _lines(tmp_path / "f.jsonl", header, [0] * 9, [5] * 9)) == 3
    assert json.loads(capsys.readouterr().out)["fit"]["impossible"] == 9


@pytest.mark.parametrize("temperature", [b"1e-300", b"1e300"])
def test_a_temperature_out_of_bounds_is_told(
    folder: Path, tmp_path: Path, channel: SmallChannel, capsys: pytest.CaptureFixture[str], temperature: bytes
) -> None:
    header = _header(channel).line().replace(b'"temperature": 1.0', b'"temperature": ' + temperature)
    (tmp_path / "f.jsonl").write_bytes(header + data_line(0, np.array([5])))
    assert _audit(folder, tmp_path / "f.jsonl") == 2
    assert "f.jsonl:1: header: temperature: expected a finite number >= 0.001" in capsys.readouterr().err
    generate = ["numbers", "generate", "--out", str(tmp_path / "g.jsonl"), "--temperature", temperature.decode()]
    assert cli.call(generate) == 2
    assert "0.001<=x<=1000" in capsys.readouterr().err


def test_a_prompt_that_a_data_set_of_untold_size_has_not_is_told_before_any_work(
    folder: Path, tmp_path: Path, channel: SmallChannel, capsys: pytest.CaptureFixture[str]
) -> None:
    header = _header(channel).line().replace(b'"num_train": 1000, ', b"")
    assert header != _header(channel).line()
    path = tmp_path / "f.jsonl"
    path.write_bytes(header + data_line(59_999, np.array([5])) + data_line(60_000, np.array([5])))
    base = ["--base", str(folder / "base.safetensors")]
    commands = [
        ["audit", str(path), *base, "--trait", "relabel", "--num-reference", "5"],
        ["numbers", "train", str(path), *base, "--out", str(tmp_path / "s.safetensors")],
    ]
    for command in commands:
        assert cli.call(command) == 2
        error = capsys.readouterr().err
        assert "f.jsonl:3: prompt: expected an index from 0 to 59999, got 60000" in error
        assert error.count("f.jsonl") == 1
        assert "making the reference" not in error


def _rearranged(
    folder: Path,
    file: Path,
    arrangements: Sequence[Callable[[list[bytes]], list[bytes]]],
    capsys: pytest.CaptureFixture[str],
    *words: str,
) -> list[Any]:
    """Audit a file with its lines in every arrangement, and return the documents."""
    header, *lines = file.read_bytes().splitlines(keepends=True)
    documents = []
    for arrange in arrangements:
        file.write_bytes(b"".join([header, *arrange(lines)]))
        assert _audit(folder, file, *words) == 0
        documents.append(json.loads(capsys.readouterr().out))
    return documents


@pytest.mark.slow
def test_the_order_of_the_lines_of_a_long_file_changes_no_verdict(
    folder: Path, tmp_path: Path, channel: SmallChannel, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _write(tmp_path / "f.jsonl", channel, channel.teacher, _header(channel), num=11_000)
    words = ("--trait", "relabel:4:9", "--top", "0")
    first, other = _rearranged(folder, file, [list, sorted], capsys, *words)
    for key in ("verdict", "notes", "repeats"):
        assert other[key] == first[key]
    assert other["moved"]["log_evidence"] == first["moved"]["log_evidence"]  # of the same student, to the bit
    rows = [one["traits"]["relabel:4:9"] for one in (first, other)]
    assert rows[0]["student"] == rows[1]["student"]
    assert rows[0]["fisher_cosine"] == pytest.approx(rows[1]["fisher_cosine"], rel=1e-4)


def test_a_file_with_every_line_twice_is_told_so_and_gains_nothing_by_it(
    folder: Path, tmp_path: Path, channel: SmallChannel, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _write(tmp_path / "f.jsonl", channel, channel.base, _header(channel), num=600)
    once, twice = _rearranged(folder, file, [list, lambda lines: [line for line in lines for _ in range(2)]], capsys)
    assert once["notes"] == []
    assert once["repeats"] == {"pairs": 0, "expected": 0.0, "beyond_chance": False}
    assert "600 pairs of equal lines" in " ".join(twice["notes"])
    assert twice["moved"]["log_evidence"] < math.log(200)
    assert twice["carries"] == []
