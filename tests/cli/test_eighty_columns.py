"""What a command prints fits a terminal of 80 columns, and is broken between words only."""

from __future__ import annotations

from pathlib import Path

import pytest

from subtx_toy import cli
from subtx_toy.results import presentation
from subtx_toy.store import Store
from tests.unit.store.test_schema import CONFIG, _record

TINY = "dataset=glyphs num_train=60 num_test=20 num_inputs=60 width=8 batch_size=30 teacher_epochs=1 student_epochs=1"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two configurations that differ in many settings, five seeds each."""
    path = tmp_path_factory.mktemp("columns") / "r.sqlite"
    varied = {"width": 8, "num_train": 500, "num_inputs": 500, "num_aux": 10, "batch_size": 50, "lr": 3e-3, "depth": 1}
    with Store(path) as opened:
        opened.add_all([_record(seed, config) for config in (CONFIG, CONFIG.override(varied)) for seed in range(5)])
    return path


@pytest.mark.parametrize(
    "command",
    [
        "list",
        "data list",
        "run --settings",
        "results summary --store STORE",
        "results best --store STORE",
        "results list --store STORE",
        "results failed --store STORE",
        "results compare seed<5 seed<5 --store STORE",
        "verify --instances 5 --claims C1,C4b,C29",
        "certify welch",
        f"predict cloud2025 {TINY}",
    ],
)
def test_lines_fit_a_terminal(
    command: str, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.setattr(presentation, "terminal_width", lambda: 80)
    capsys.readouterr()
    assert cli.call([word.replace("STORE", str(store)) for word in command.split()]) == 0
    printed = capsys.readouterr().out.splitlines()
    whole = (str(store), "  folder  ", "https://")  # paths and addresses are not broken
    lines = [line for line in printed if not any(one in line for one in whole)]
    assert len(lines) > 0
    assert [line for line in lines if len(line) > 80] == []
