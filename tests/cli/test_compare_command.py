"""``subtx-toy compare`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from subtx_toy import cli
from subtx_toy.seeding import generator
from tests.unit.audit.two_files.test_comparison import _file


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = generator(0, "tests", "compare command")
    for name, tilt in (("a", 0.0), ("b", 0.6), ("n", 0.0)):
        rows = [{"prompt": one.prompt, "completion": one.completion} for one in _file(rng, 300, tilt=tilt)]
        Path(f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))


def test_two_files_and_a_neutral_one(files: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["compare", "a.jsonl", "b.jsonl", "--neutral", "n.jsonl", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["differs"]
    assert found["p_value"] <= 0.01
    assert [one["differs"] for one in found["neutral"]] == [False, True]
    assert {"k", "measured", "predicted"} == set(found["auroc"][0])
    assert found["lines_needed"] > 1
    assert {"token", "first", "second", "log_ratio", "z"} == set(found["top_tokens"][0])


def test_the_text_says_how_large_the_difference_is_and_what_a_neutral_file_decides(
    files: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.call(["compare", "a.jsonl", "b.jsonl", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    size = f"d = {document['effect']:.2f} standard deviations of a line's score"
    shown = f"The difference is {size}; files of {document['lines_needed']} lines each show one of this size nine times"
    alone = ", ".join(f"{name} {value:.3f}" for name, value in document["p_values"].items())
    for neutral, decided in (
        ("n.jsonl", "only the second file differs from an honest writer's"),
        ("a.jsonl", "only the second file differs"),
        ("c.jsonl", "both differ from an honest writer's, as another honest one may"),
    ):
        rows = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
        Path("c.jsonl").write_text("\n".join(json.dumps(row | {"completion": "49, 49, 49"}) for row in rows))
        assert cli.call(["compare", "a.jsonl", "b.jsonl", "--neutral", neutral]) == 0
        out = " ".join(capsys.readouterr().out.split())
        assert decided in out
        assert shown in out
        assert f"p of each statistic alone: {alone}" in out
    assert cli.call(["compare", "a.jsonl", "n.jsonl", "--neutral", "a.jsonl"]) == 0
    assert "neither is shown to differ" in capsys.readouterr().out


def test_the_text_says_what_was_read_and_what_it_cannot_say(files: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["compare", "a.jsonl", "n.jsonl"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("No difference was found")
    assert "a.jsonl: JSON Lines with prompt and completion, 300 lines" in out
    assert "only lines of the same prompt are exchanged" in out
    assert cli.call(["compare", "a.jsonl", "none.jsonl"]) == 2
    assert "none.jsonl: cannot be read" in capsys.readouterr().err
    Path("few.txt").write_text("1\n2\n")
    assert cli.call(["compare", "a.jsonl", "few.txt"]) == 2
    assert "few.txt: expected at least 20 lines, got 2" in capsys.readouterr().err
