"""Options that a command would ignore are refused, and not its own defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from subtx_toy import cli
from subtx_toy.store import Store

AUDIT = ["audit", "x.jsonl", "--base", "b.safetensors", "--trait", "relabel"]
GENERATE = ["numbers", "generate", "--out", "x.jsonl", "--teacher"]


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (["sweep", "tiny", "--sample-seed", "3", "--dry-run"], ["sample_seed: expected no number without an axis"]),
        (["sweep", "tiny", "width=8,16", "--sample-seed", "0"], ["sample_seed: expected no number without an axis"]),
        (
            ["results", "summary", "--store", "r.sqlite", "--sample", "5", "--sample-seed", "1"],
            ["sample: name an experiment and an axis that is drawn", "sample_seed: name an experiment"],
        ),
        (
            ["results", "export", "x.csv", "--store", "r.sqlite", "--sample", "5"],
            ["sample: name an experiment and an axis that is drawn at random"],
        ),
        (
            ["run", "tiny", "--figure", "x.png", "--no-figure", "width=0"],
            ["--figure cannot be combined with --no-figure", "width: expected an integer"],
        ),
        (
            [*GENERATE, "t.safetensors", "--base", "b.safetensors", "--teacher-epochs", "2"],
            ["--base cannot be combined with --teacher t.safetensors", "--teacher-epochs cannot be combined with"],
        ),
        ([*GENERATE, "base", "--teacher-epochs", "5"], ["--teacher-epochs cannot be combined with --teacher base"]),
        (
            [*AUDIT, "--reference", "r.safetensors", "--num-reference", "20"],
            ["--num-reference cannot be combined with --reference"],
        ),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(
    arguments: list[str], sentences: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Store(tmp_path / "r.sqlite").close()
    assert cli.call(arguments) == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", len(sentences))
    for sentence in sentences:
        assert f"error: {sentence}" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*AUDIT, "--reference", "r.safetensors"], "x.jsonl"),
        ([*GENERATE, "t.safetensors", "--data-dir", "nowhere"], "t.safetensors: no such file"),
        ([*GENERATE, "base", "--base", "b.safetensors"], "b.safetensors"),
        ([*GENERATE, "other-base", "--base", "b.safetensors"], "b.safetensors"),  # which is as wide
    ],
)
def test_a_default_is_not_taken_for_an_option_that_was_given(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert cli.call(arguments) == cli.BAD_INPUT
    err = capsys.readouterr().err
    assert sentence in err
    assert "expected no" not in err
    assert "cannot be combined" not in err
