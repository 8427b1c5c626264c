"""What a user from outside the package types: commands on a store of its own, workers inside this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from subtx_toy import cli
from subtx_toy.store import Store
from subtx_toy.store.record import RunRecord

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SMALL = ["num_train=300", "num_test=100", "num_inputs=256", "batch_size=50", "teacher_epochs=8", "student_epochs=2"]

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "results.sqlite"


@pytest.fixture
def command(store: Path, capsys: pytest.CaptureFixture[str], workers_here: None) -> Command:
    """Call ``run`` or ``sweep`` on a small version of the packaged experiment tiny; return code and output."""

    def call(name: str, *words: str) -> tuple[int, str, str]:
        code = cli.call([name, "tiny", *SMALL, *words, "--store", str(store), "--json"])
        return code, *capsys.readouterr()

    return call


def records(out: str, store: Path) -> list[RunRecord]:
    """Return the stored records that a command's document names."""
    document: dict[str, Any] = json.loads(out)
    with Store(store) as opened:
        return list(opened.get(document["run_ids"]).values())
