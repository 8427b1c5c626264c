"""Progress moves within a trial, its end counts down, and nothing is silent for long."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from subtx_toy.api.trial_lines import TrialLines
from subtx_toy.cli import display as displays
from subtx_toy.cli.display import Display
from subtx_toy.cli.sweep_progress import SweepProgress
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.session import Tally
from subtx_toy.sweep.trial import Trial
from subtx_toy.training.pulse import Pulse

TRIALS = [
    Trial(f"{at:x}".ljust(32, "0"), config, seed, "0" * 64)
    for at, (config, seed) in enumerate(
        (config, seed) for config in Plan.read("tiny", ["width=8,16"]).configs for seed in (0, 1)
    )
]


def test_the_end_counts_down_between_news_and_moves_with_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    display.progress("training", 0, 4, "trials")
    assert display.left("training") == ""
    display._tasks["training"].start -= 10
    display.progress("width=8 seed 0", 5, 10, "epochs")  # half a trial in ten seconds
    assert display.left("training") == "about 1:10 left"
    display._tasks["training"].end = time.monotonic() + 30
    assert display.left("training") in ("about 0:30 left", "about 0:29 left")
    assert "epochs" not in capsys.readouterr().err  # lines come from the clock


def test_a_task_has_one_plain_line_of_how_much_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    for done in (0, 1, 3):
        display.progress("training", done, 3, "trials")
        display.progress("making nets", done, None if done < 3 else 3, "nets")  # known at the end only
    assert capsys.readouterr().err.splitlines() == ["training: 3 trials", "making nets: 3 nets"]


def test_a_line_that_says_something_comes_when_nothing_else_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(displays, "LINE_SECONDS", 0.5)
    with Display() as display:
        display.progress("training", 1, 4, "trials")
        display.progress("width=8 seed 1", 3, 10, "epochs")
        time.sleep(2.5)
    err = capsys.readouterr().err
    assert "training: 1 of 4 trials" in err
    assert "width=8 seed 1: 3 of 10 epochs" in err


def test_bars_that_are_never_shown_leave_no_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rich.progress.Progress.stop", lambda bars: bars.console.print())  # as rich before 14.3
    with Display():
        pass
    assert capsys.readouterr() == ("", "")


def test_the_limit_of_silence_is_thirty_seconds() -> None:
    assert displays.LINE_SECONDS <= 30


def test_a_run_names_its_trials_and_their_epochs() -> None:
    said: list[Any] = []
    watch = TrialLines(TRIALS, said.append, lambda *news: said.append(news))
    watch(Tally(4), [])
    watch.running({key[:13]: Pulse(key[:13], 4, 10) for key in (TRIALS[0].run_id, "f" * 32)})
    assert said[-1] == ("width=8 seed 0", 4, 10, "epochs")


def test_an_interrupted_run_says_how_much_is_stored() -> None:
    said: list[str] = []
    watch = TrialLines(TRIALS, said.append, lambda *_: None)
    watch(Tally(4, stored=1, done=2), [])
    watch.interrupted(Path("r.sqlite"))
    assert said[-1] == "3 of 4 trials are stored in r.sqlite; the same command goes on from there"


def test_an_interrupted_sweep_says_how_much_is_stored(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display().__enter__()
    SweepProgress(display)(Tally(4, done=2), [])
    display.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert "2 of 4 trials are stored; the same command goes on" in capsys.readouterr().err


def test_a_sweep_says_what_its_last_trial_reached(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record: Any = SimpleNamespace(cpu_seconds=1.0, diverged={}, accuracies={"student_aux": 0.41})
    outcome: Any = SimpleNamespace(trial=TRIALS[3], record=record, error="")
    progress = SweepProgress(Display(), ["width"])
    progress(Tally(4), [])
    monkeypatch.setattr("subtx_toy.cli.sweep_progress.LINE_SECONDS", -1.0)
    progress(Tally(4, done=1), [outcome])
    assert "width=16 seed 1: 1.0 s of CPU: student_aux 0.410" in capsys.readouterr().err


def test_a_line_on_a_terminal_breaks_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    narrow = Console(file=file, force_terminal=True, width=40, highlight=False)
    monkeypatch.setattr("rich.console.Console", lambda **_: narrow)
    with Display() as display:
        display.report("[1/5] seed 1: student_aux 0.160, cross_aux 0.132, cross_all 0.178, in /a/path/of/" + "x" * 40)
    lines = [line.strip().removeprefix("\x1b[2K") for line in file.getvalue().splitlines()]
    assert "[1/5] seed 1: student_aux 0.160," in lines
    assert "/a/path/of/" + "x" * 40 in lines
