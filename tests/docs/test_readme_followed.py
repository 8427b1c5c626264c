"""The README's commands, followed to the letter."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOORS = README.partition("## Four doors")[2].partition("\n## ")[0]


def _blocks(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)


FIRST = _blocks(README)[0]


def _commands(block: str) -> list[str]:
    return [line.partition(" #")[0].strip() for line in block.splitlines() if line.strip()]


def test_four_lines_lead_to_a_result() -> None:
    assert _commands(FIRST) == [
        'git clone "${REPOSITORY:-.}" subliminal && cd subliminal',
        "make setup",
        "source .venv/bin/activate",
        "subtx-toy run cloud2025 --quick",
    ]
    assert README.index(FIRST) < 2000, "the first screen"
    start = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert _commands(_blocks(start)[0]) == _commands(FIRST)


def test_the_picture_and_the_doors_come_before_the_details() -> None:
    places = [README.index(text) for text in ("docs/images/cloud2025-mnist.png", "## Four doors", "## Use")]
    assert places == sorted(places)


def test_there_are_four_doors_with_commands_and_a_page_each() -> None:
    assert re.findall(r"^\*\*([^*]+)\*\*", DOORS, flags=re.MULTILINE) == [
        "See",
        "Replicate and vary",
        "Predict and prove",
        "Detect",
    ]
    assert len(_blocks(DOORS)) == 4
    assert len(re.findall(r"^Then \[", DOORS, flags=re.MULTILINE)) == 4


def test_the_table_shown_is_what_a_quick_run_prints() -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)
    arms = dict(re.findall(r"^(\w+) +(\d\.\d{3}) ", shown, flags=re.MULTILINE))
    assert list(arms) == ["reference", "teacher", "student_aux", "student_all", "cross_aux", "cross_all"]


def test_the_module_of_the_doors_is_verified(capsys: pytest.CaptureFixture[str]) -> None:
    from subtx_toy import cli

    (command,) = [line for line in _commands("".join(_blocks(DOORS))) if "own_module" in line]
    path = command.split()[-1].replace("examples", str(ROOT / "examples"))
    assert cli.call(["verify", path, "--claims", "C1,C3,C5"]) == 0
    assert capsys.readouterr().out.startswith("3 of 3 claims hold")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_clone_is_set_up_and_every_door_leads_to_its_result(tmp_path: Path) -> None:
    """In an empty folder, with a home, a cache and a store of its own: the four lines, then the four doors."""
    bare = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    own = {"SUBTX_TOY_STORE": tmp_path / "r.sqlite", "XDG_CACHE_HOME": tmp_path / "cache", "REPOSITORY": ROOT}
    env = bare | {name: str(value) for name, value in own.items()}
    script = "\n".join(["set -e", FIRST, "echo == set up", *_blocks(DOORS)])
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run([bash, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "the trait came over with the shared initialisation" in done.stdout
    assert re.search(r"^16 .*student_aux.accuracy +5 ", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^\d+ of \d+ claims hold, \d+ not applicable", done.stdout, flags=re.MULTILINE)
    assert "Proved: the alignment is positive" in done.stdout
    assert "moved from the base: carries relabel:4:9" in done.stdout
    for picture in ("cloud2025-glyphs.png", "inputs-glyphs.png"):
        assert (tmp_path / "subliminal" / picture).read_bytes().startswith(b"\x89PNG")
