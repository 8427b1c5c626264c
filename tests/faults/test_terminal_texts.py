"""Names and error texts that hold a terminal's control sequences: no command prints one of them raw."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from rich.console import Console

import subtx_toy.cli
from subtx_toy import cli, sweep
from subtx_toy.cli.display import Display
from subtx_toy.files.terminal_text import terminal_text
from subtx_toy.store import Store
from subtx_toy.store.trials import Entry, Leases
from subtx_toy.sweep import engine, workers
from subtx_toy.sweep.trial import Trial, TrialOutcome
from tests.faults.quick_workers import QuickWorkers

EVIL = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202e\x00"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
SETTINGS = ["num_train=100", "num_test=100", "num_inputs=100"]
RUN_ID = "a" * 32


class Failing(QuickWorkers):
    """Every trial fails with a text of its own choice."""

    def submit(self, trials: Sequence[Trial]) -> Future[list[TrialOutcome]]:
        future: Future[list[TrialOutcome]] = Future()
        future.set_result([TrialOutcome(one, None, f"Traceback {EVIL}\nValueError: {EVIL}") for one in trials])
        return future


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a failed trial of an experiment with such a name."""
    for module in (workers, engine):
        monkeypatch.setattr(module, "LocalWorkers", Failing)
    path = tmp_path / f"r{EVIL[:-1]}.sqlite"
    with Store(path) as opened:
        leases = Leases(opened)
        leases.enter([Entry(RUN_ID, f"name {EVIL}", 0, {"model": EVIL})], retry_failed=False)
        leases.claim([RUN_ID])
        leases.fail({RUN_ID: f"Traceback {EVIL}\nValueError: {EVIL}"})
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["results", "list"],
        ["results", "list", "--json"],
        ["results", "summary"],
        ["results", "summary", f"tiny{EVIL}"],
        ["results", "show", RUN_ID],
        ["results", "show", f"none{EVIL}"],
        ["results", "export", f"{EVIL}.txt"],
        ["doctor"],
        ["doctor", "--backup", f"{EVIL}/x"],
        ["sweep", "tiny", *SETTINGS, "--seeds", "0:2"],
        ["sweep", "tiny", f"width{EVIL}=3"],
        ["sweep", "tiny", f"width={EVIL}", "--dry-run"],
        ["run", "tiny", *SETTINGS, "--seeds", "0:2"],
        ["run", f"tiny{EVIL}"],
        ["run", "tiny", f"--{EVIL}"],
        [f"command{EVIL}"],
    ],
    ids=lambda words: terminal_text(" ".join(words)),
)
def test_no_command_prints_what_steers_a_terminal(words: list[str], store: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        cli.call([*words, "--store", str(store)])
    printed = out.getvalue() + err.getvalue()
    assert printed != ""
    assert STEERING.findall(printed) == []


def test_on_a_terminal_messages_and_bars_are_as_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(
        "rich.console.Console", lambda **_: Console(file=file, force_terminal=True, width=200, highlight=False)
    )
    with Display() as display:
        assert display.is_terminal
        display.report(f"a line [red]{EVIL}")
        display.progress(f"a task [red]{EVIL}", 1, 2, "trials")
    assert "\x1b]0;" not in file.getvalue()
    assert "\x1b[2J" not in file.getvalue()
    assert r"a line [red]\x1b]0;owned\x07" in file.getvalue()
    assert r"a task [red]\x1b]0;owned\x07" in file.getvalue()


def test_nor_does_a_result_in_python(store: Path) -> None:
    found = sweep("tiny", seeds="0:1", store=store)
    assert STEERING.findall(repr(found) + found.table) == []
    assert "owned" in found.table


def test_every_command_prints_through_the_one_door() -> None:
    folder = Path(subtx_toy.cli.__file__).parent
    others = [path.name for path in folder.glob("*.py") if path.name not in ("echo.py", "display.py")]
    assert [name for name in others if "click.echo(" in (folder / name).read_text(encoding="utf-8")] == []
