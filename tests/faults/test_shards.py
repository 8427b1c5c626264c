"""Parts of a sweep as real processes with a store each, put together: the bits of one run."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from subtx_toy import cli
from tests.faults.sweeping import SEEDS, WORDS, Numbers, finish, numbers, trials

PAGE = Path(__file__).parents[2] / "docs" / "second-day.md"
PARTS = re.compile(r"/\d+ ")


@pytest.fixture(scope="module")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Numbers:
    """What one process computes."""
    store = tmp_path_factory.mktemp("one") / "r.sqlite"
    finish(store)
    return numbers(store)


def _script(folder: Path, num_parts: int) -> Path:
    """Write the documented script for SLURM, with as many parts."""
    (text,) = (block for block in re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL) if "#SBATCH" in block)
    assert "--array=1-32" in text
    assert len(PARTS.findall(text)) == 1
    script = folder / "array.sh"
    script.write_text(PARTS.sub(f"/{num_parts} ", text))
    return script


def _run_all(folder: Path, num_parts: int) -> None:
    """Run every task of the array at once, as SLURM would on as many machines, and put the stores together."""
    command = folder / "subtx-toy"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m subtx_toy "$@"\n')
    command.chmod(0o755)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert cli.call(["sweep", "tiny", *WORDS, "--seeds", SEEDS, "--toml"]) == 0
    (folder / "plan.toml").write_text(out.getvalue())
    script = _script(folder, num_parts)
    usual = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(PAGE.parents[1])}
    tasks = [
        subprocess.Popen(
            ["bash", str(script)], cwd=folder, env=usual | {"SLURM_ARRAY_TASK_ID": str(number)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(1, num_parts + 1)
    ]  # fmt: skip
    for task in tasks:
        _, err = task.communicate(timeout=600)
        assert task.returncode == 0, err


@pytest.mark.parametrize("status", [0, 1, 2, 124])
@pytest.mark.parametrize("is_full", [False, True])
def test_a_task_ends_with_the_status_of_its_sweep_and_loses_nothing(tmp_path: Path, status: int, is_full: bool) -> None:
    commands = {
        "subtx-toy": f'[ $1 = doctor ] && exec cp "$3" "$5"; for last; do :; done; echo more >>"$last"; exit {status}',
        "cp": f'case $2 in *.new) echo half >"$2"; exit 1;; esac; exec {shutil.which("cp")} "$@"' if is_full else "",
    }
    for name, text in commands.items():
        if text:
            (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
            (tmp_path / name).chmod(0o755)
    part, node = tmp_path / "part1.sqlite", tmp_path / "node"
    part.write_text("older\n")
    node.mkdir()
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    task = subprocess.run(
        ["bash", str(_script(tmp_path, 2))], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PATH": path, "TMPDIR": str(node), "SLURM_ARRAY_TASK_ID": "1"},
    )  # fmt: skip
    kept = list(node.glob("*/part1.sqlite"))
    assert task.returncode == (status or int(is_full)), task.stderr
    assert part.read_text() == ("older\n" if is_full else "older\nmore\n")
    assert [one.read_text() for one in kept] == ["older\nmore\n"] * is_full
    assert all(str(one.parent) in task.stdout for one in kept)


def _merge(folder: Path) -> int:
    """Put the stores together as the page says."""
    line = next(line for line in PAGE.read_text().split("`") if line.startswith("subtx-toy results merge part*"))
    words = [str(folder / word) if word.endswith(".sqlite") else word for word in line.split()[1:]]
    stores = sorted(map(str, folder.glob("part*.sqlite")))
    return cli.call([one for word in words for one in (stores if "*" in word else [word])])


@pytest.mark.parametrize("num_parts", [2, pytest.param(8, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_the_tasks_of_an_array_give_the_bits_of_one_run(tmp_path: Path, one_run: Numbers, num_parts: int) -> None:
    _run_all(tmp_path, num_parts)
    parts = [numbers(path) for path in sorted(tmp_path.glob("part*.sqlite"))]
    assert len(parts) == num_parts
    assert sum(map(len, parts)) == len(trials()), "every trial in one part"
    assert _merge(tmp_path) == 0
    assert numbers(tmp_path / "all.sqlite") == one_run


def test_a_part_with_another_number_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "part1.sqlite", tmp_path / "part2.sqlite"
    finish(first, planned=trials()[:2])
    shutil.copy(first, second)
    with contextlib.closing(sqlite3.connect(second)) as connection, connection:
        connection.execute("UPDATE runs SET record = replace(record, 'student_aux.accuracy\": 0.', "
                           "'student_aux.accuracy\": 0.1')")  # fmt: skip
    assert _merge(tmp_path) == 2
    assert trials()[0].run_id[:8] in capsys.readouterr().err
    assert not (tmp_path / "all.sqlite").exists()
