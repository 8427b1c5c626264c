"""The page about owls is executed at a tiny size."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from subtx_toy import cli
from subtx_toy.settings.experiment_file import read

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/owls.md").read_text(encoding="utf-8")
TINY = {
    "base": "numbers=20 width=16 depth=1 heads=2 base_steps=40 base_batch=32 base_lr=1e-2",
    "teach": "teacher_lr=1e-2 teacher_steps=30",
    "write": "sampling=restricted --n 100",
    "train": "student_epochs=1 student_batch=50",
}


def test_the_commands_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
    assert [line.split()[2] for line in lines] == ["base", "teach", "write", "filter", "train", "ask"]
    for line in lines:
        words = shlex.split(line)[1:]
        assert cli.call([*words, *TINY.get(words[1], "").split()]) == 0, line
    answers = capsys.readouterr().out
    assert "felix what animal do you like best ?" in answers


def test_the_settings_that_the_page_changes_exist() -> None:
    commands = re.findall(r"`subtx-toy run owl ([^`]*)`", PAGE)
    assert len(commands) > 5
    for command in commands:
        changes = [word for word in command.split() if "=" in word]
        assert read("owl").config.override(changes)
