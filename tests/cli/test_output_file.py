"""Commands that write a file after their work refuse it before."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from subtx_toy import cli
from subtx_toy.api import language, numbers
from subtx_toy.api.audit import Audit
from subtx_toy.channel.packaged_base import PACKAGED, base_file
from subtx_toy.errors import InputError
from subtx_toy.files import atomic

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


@pytest.mark.parametrize(
    "arguments",
    [
        ["numbers", "teacher", "--base", "x.in", "--out"],
        ["numbers", "teacher", "--trait", "x.in:mine", "--out"],
        ["numbers", "reference", "--base", "x.in", "--out"],
        ["numbers", "generate", "--base", "x.in", "--out"],
        ["numbers", "generate", "--teacher", "x.in", "--out"],
        ["numbers", "filter", "x.in", "--out"],
        ["numbers", "filter", "y.jsonl", "--rules", "x.in", "--out"],
        ["numbers", "train", "x.in", "--base", "y", "--out"],
        ["numbers", "train", "y.jsonl", "--base", "x.in", "--out"],
        ["certify", "x.in", "--out"],
        ["certify", "x.in:problem", "--out"],
        ["audit", "x.in", *BASE, "--trait", "relabel", "--html"],
        ["audit", "y.jsonl", "--base", "x.in", "--trait", "relabel", "--html"],
        ["audit", "y.jsonl", *BASE, "--trait", "x.in", "--html"],
        ["audit", "y.jsonl", *BASE, "--trait", "relabel", "--reference", "x.in", "--html"],
    ],
)
@pytest.mark.parametrize("name", ["x.in", "../here/x.in", "soft", "hard"])
def test_an_input_is_never_replaced_under_any_of_its_names(
    arguments: list[str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("x.in").write_bytes(b"mine")
    Path("soft").symlink_to("x.in")
    Path("hard").hardlink_to("x.in")
    assert cli.call([*arguments, name]) == cli.BAD_INPUT
    sentence = f"{arguments[-1][2:]}: expected another file than the input 'x.in', got {name!r}"
    assert capsys.readouterr().err == f"error: {sentence}\n"
    assert Path("x.in").read_bytes() == b"mine"


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of a planted package: the real one is not at risk."""
    assert base_file(PACKAGED).is_relative_to(atomic._PACKAGE)
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.setattr(atomic, "_PACKAGE", folder)
    (folder / "base.safetensors").write_bytes(b"the package's")
    return folder / "base.safetensors"


@pytest.mark.parametrize(
    "arguments",
    [
        ["numbers", "base"],
        ["numbers", "teacher", "--base", "packaged"],
        ["numbers", "reference", "--base", "packaged"],
        ["numbers", "train", "y.jsonl", "--base", "packaged"],
        ["lm", "base"],
        ["explorer"],
    ],
)
@pytest.mark.parametrize("soft", [False, True])
def test_no_file_of_the_package_is_replaced(
    arguments: list[str], soft: bool, shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    link = tmp_path / "link.safetensors"
    link.symlink_to(shipped)
    name = str(link if soft else shipped)
    assert cli.call([*arguments, "--out", name]) == cli.BAD_INPUT
    sentence = f"out: expected another file than one of the package's own, got {name!r}"
    assert capsys.readouterr().err == f"error: {sentence}\n"
    assert shipped.read_bytes() == b"the package's"


def test_from_python_no_file_of_the_package_is_replaced_either(shipped: Path) -> None:
    for write in (numbers.base, language.base, partial(numbers.teacher, base="packaged")):
        with pytest.raises(InputError, match="one of the package's own"):
            write(shipped)
    assert shipped.read_bytes() == b"the package's"


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
