"""The README's commands, followed to the letter."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import subtx_toy as st
from subtx_toy.audit.verdict import CARRIES

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


def _said_of_the_sweep() -> dict[tuple[str, str], float]:
    """Return the accuracies that the second door prints, by the number of auxiliary logits and the start."""
    words = " ".join(DOORS.split())
    numbers = r"With 50 auxiliary .* reads (\.\d+) .* cross student, (\.\d+), .* With 3 .* read (\.\d+) and (\.\d+),"
    found = re.search(numbers, words)
    assert found is not None
    places = [("50", "student"), ("50", "cross"), ("3", "student"), ("3", "cross")]
    return dict(zip(places, map(float, found.groups()), strict=True))


def _said_of_the_audit() -> str:
    """Return the verdict that the fourth door prints."""
    (verdict,) = re.findall(r"first line is its verdict, `([^`]+)`", " ".join(DOORS.split()))
    return str(verdict)


def test_what_the_doors_say_of_their_results_is_said_by_the_commands_that_print_it() -> None:
    said = _said_of_the_sweep()
    assert said["50", "student"] > 2 * said["50", "cross"]
    (audit,) = [line for line in _commands("".join(_blocks(DOORS))) if line.startswith("subtx-toy audit")]
    words = shlex.split(audit)
    assert f"{CARRIES} {words[words.index('--trait') + 1]}" in _said_of_the_audit()
    number = int(words[words.index("--num-reference") + 1])
    usual = inspect.signature(st.audit).parameters["num_reference"].default
    counted = {5: "five", 6: "six", 20: "twenty"}
    text = f"`--num-reference {number}` takes {counted[number]} of them and not {counted[usual]}"
    assert text in " ".join(DOORS.split())


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
    rows = re.findall(
        r"^(3|50) +(student|cross)_aux.accuracy +5 +(\S+) +(\S+) to (\S+)$", done.stdout, flags=re.MULTILINE
    )
    found = {(one[0], one[1]): tuple(map(float, one[2:])) for one in rows}
    for place, said in _said_of_the_sweep().items():
        assert abs(found[place][0] - said) < 0.02, "another processor changes a few images of 500"
    assert found["50", "student"][1] > found["50", "cross"][2] > 0.1
    assert found["3", "student"][1] < found["3", "cross"][2], "the intervals meet"
    assert re.search(r"^\d+ of \d+ claims hold, \d+ not applicable", done.stdout, flags=re.MULTILINE)
    assert "Proved: the alignment is positive" in done.stdout
    assert _said_of_the_audit() in done.stdout.splitlines()
    for picture in ("cloud2025-glyphs.png", "inputs-glyphs.png"):
        assert (tmp_path / "subliminal" / picture).read_bytes().startswith(b"\x89PNG")
