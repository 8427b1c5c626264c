"""A shell that completes a line gets what it asks for, and nothing else."""

from __future__ import annotations

import shutil

import pytest

from subtx_toy import cli


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(
    shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("without bash its version cannot be checked, and a warning says so")
    monkeypatch.setenv("_SUBTX_TOY_COMPLETE", f"{shell}_source")
    assert cli.call([]) == cli.OK
    out, err = capsys.readouterr()
    assert f"_SUBTX_TOY_COMPLETE={shell}_complete" in out
    assert err == ""


def test_an_experiment_is_completed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"_SUBTX_TOY_COMPLETE": "bash_complete", "COMP_WORDS": "subtx-toy run cloud", "COMP_CWORD": "2"}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    assert cli.call([]) == cli.OK
    assert capsys.readouterr() == ("plain,cloud2025\n", "")


def test_what_no_shell_asks_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SUBTX_TOY_COMPLETE", "unknown_source")
    assert cli.call([]) == cli.FAILED
