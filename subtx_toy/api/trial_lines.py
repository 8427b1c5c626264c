"""What a run reports while it works: trials that are stored, under way, finished, failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from subtx_toy.data.dataset import Progress, Report
from subtx_toy.store.record import RunRecord
from subtx_toy.sweep.session import Tally
from subtx_toy.sweep.trial import Trial, TrialOutcome
from subtx_toy.training.pulse import Pulse
from subtx_toy.wording import be, counted


class TrialLines:
    """Reports what is stored already, every finished seed, and every new kind of failure."""

    def __init__(self, trials: Sequence[Trial], report: Report, progress: Progress) -> None:
        self._report, self._progress = report, progress
        self._total, self._done, self._tally = 0, 0, Tally(0)
        self._failures: set[str] = set()
        self._others: set[object] = set()
        self._swept = differing(trials)
        self._trials = {trial.run_id: trial for trial in trials}
        self._running: dict[str, int] = {}  # by name: the epochs of a trial whose progress is shown

    def __call__(self, tally: Tally, outcomes: Sequence[TrialOutcome]) -> None:
        """Report some outcomes; the first call comes before any trial has run."""
        if not self._tally.total:
            self._total = tally.left
            if tally.stored:
                self._report(f"{tally.stored} of {counted(tally.total, 'trial')} {be(tally.stored)} stored already")
        self._tally = tally
        for line in waiting_lines(tally, self._others):
            self._report(line)
        if not self._total:
            return
        for outcome in outcomes:
            self._done += 1
            name = trial_name(outcome.trial, self._swept)
            if (epochs := self._running.pop(name, None)) is not None:
                self._progress(name, epochs, epochs, "epochs")
            if outcome.record is not None:
                self._report(f"[{self._done}/{self._total}] {name}, {finished(outcome.record)}")
            for line in failure_lines(outcome, name, self._failures):
                self._report(line)
            del self._trials[outcome.trial.run_id]
        self._progress("training", self._total - tally.left, self._total, "trials")

    def running(self, pulses: Mapping[str, Pulse]) -> None:
        """Show how far the trials under way are; ``pulses`` by the beginning of their keys."""
        if not pulses or not self._tally.left:
            return
        for key, trial in self._trials.items():
            found = pulses.get(key[: len(next(iter(pulses)))])
            if found is not None and found.done < found.total:
                name = trial_name(trial, self._swept)
                self._running[name] = found.total
                self._progress(name, found.done, found.total, "epochs")

    def interrupted(self, store: Path) -> None:
        """Say what is kept."""
        tally = self._tally
        stored = tally.stored + tally.done + tally.elsewhere
        found = f"{stored} of {counted(tally.total, 'trial')} {be(stored)} stored in {store}"
        self._report(f"{found}; the same command goes on from there")

    def end(self) -> None:
        """Say how many trials failed."""
        tally = self._tally
        if tally.failed_before:
            self._report(f"{counted(tally.failed_before, 'trial')} failed in another session on the same store")
        if failed := tally.failed + tally.failed_before:
            self._report(f"{counted(failed, 'trial')} failed; the others are stored, and the same command tries again")


def differing(trials: Sequence[Trial]) -> list[str]:
    """Return the settings in which some trials differ."""
    configs = list({id(trial.config): trial.config for trial in trials}.values())
    return [name for name, value in configs[0] if any(getattr(one, name) != value for one in configs[1:])]


def trial_name(trial: Trial, swept: Collection[str]) -> str:
    """Name a trial by its ``swept`` settings and its seed, for example ``width=64 seed 3``."""
    return " ".join([*(f"{name}={getattr(trial.config, name)}" for name in swept), f"seed {trial.seed}"])


def finished(record: RunRecord) -> str:
    """Say what a finished trial took and what its arms reach."""
    words = {arm: f"diverged in epoch {epoch}" for arm, epoch in record.diverged.items()}
    values = ", ".join(f"{arm} {words.get(arm, f'{value:.3f}')}" for arm, value in record.accuracies.items())
    return f"{record.cpu_seconds:.1f} s of CPU" + (values and f": {values}")


def failure_lines(outcome: TrialOutcome, name: str, known: set[str]) -> list[str]:
    """Say why a trial failed, and where if that is not ``known`` yet; nothing of a trial that finished."""
    if outcome.record is not None:
        return []
    where = outcome.error.strip()
    reason = where.splitlines()[-1]
    lines = [f"{name} failed: {reason}"]
    if reason != where and where not in known:
        known.add(where)
        lines.append(where)
    return lines


def waiting_lines(tally: Tally, known: set[object]) -> list[str]:
    """Say who is waited for, each other coordinator once and again when its state changes."""
    new = [one for one in tally.waiting_for if (one.host, one.pid, one.state) not in known]
    known.update((one.host, one.pid, one.state) for one in new)
    return [f"waiting for {one}" for one in new]
