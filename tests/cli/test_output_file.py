"""Commands that write a file after their work refuse it before."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from subtx_toy import cli
from subtx_toy.api.audit import Audit

BASE = ["--base", "base.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["numbers", "base"], "out"),
        (["numbers", "teacher"], "out"),
        (["numbers", "reference", *BASE], "out"),
        (["numbers", "generate"], "out"),
        (["numbers", "filter", "x.jsonl"], "out"),
        (["numbers", "train", "x.jsonl", *BASE], "out"),
        (["certify", "small-net"], "out"),
        (["audit", "x.jsonl", *BASE, "--trait", "relabel"], "html"),
    ],
)
def test_a_file_in_a_folder_that_is_not_there_is_refused_at_once(
    arguments: list[str], option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert cli.call([*arguments, f"--{option}", "no/dir/x"]) == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", f"error: {option}: cannot write 'no/dir/x': No such file or directory")
    assert list(tmp_path.iterdir()) == []


def test_help_is_shown_without_a_look_at_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["numbers", "base", "--out", "no/dir/x", "--help"]) == cli.OK
    assert "Example:" in capsys.readouterr().out


def test_an_audit_tells_its_verdict_before_it_writes_its_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    class Found(SimpleNamespace):
        save_page = Audit.save_page

        def __str__(self) -> str:
            return "the verdict"

    found = Found(applies=True, carried=False, page=lambda: "a page")
    monkeypatch.setattr("subtx_toy.api.audit.audit", lambda **_options: found)
    monkeypatch.setattr("os.fsync", full)
    page = tmp_path / "x.html"
    assert cli.call(["audit", "x.jsonl", *BASE, "--trait", "relabel", "--html", str(page)]) == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert out == "the verdict\n"
    assert "html: cannot write" in err
    assert "No space left on device" in err
