"""What the trials of a run say while they run: a line for every finished seed."""

from __future__ import annotations

from collections.abc import Sequence

from subtx_toy.data.dataset import Progress, Report
from subtx_toy.store.record import RunRecord
from subtx_toy.sweep.session import Tally
from subtx_toy.sweep.trial import Outcome


class TrialLines:
    """Reports what is stored already, every finished seed, and every new kind of failure."""

    def __init__(self, report: Report, progress: Progress) -> None:
        self._report, self._progress = report, progress
        self._total, self._done, self._tally = 0, 0, Tally(0)
        self._failures: set[str] = set()

    def __call__(self, tally: Tally, outcomes: Sequence[Outcome]) -> None:
        """Report some outcomes; the first call comes before any trial has run."""
        if not self._tally.total:
            self._total = tally.left
            if tally.stored:
                self._report(f"{tally.stored} of {tally.total} trials are stored already")
        self._tally = tally
        if not self._total:
            return
        for outcome in outcomes:
            self._done += 1
            if outcome.record is not None:
                self._report(_line(outcome.record, self._done, self._total))
            for line in failure_lines(outcome, f"seed {outcome.trial.seed}", self._failures):
                self._report(line)
        self._progress("training", self._total - tally.left, self._total, "trials")

    def end(self) -> None:
        """Say how many trials failed."""
        tally = self._tally
        if tally.failed_before:
            self._report(f"{tally.failed_before} trials failed in another session on the same store")
        if failed := tally.failed + tally.failed_before:
            self._report(f"{failed} trials failed; the others are stored, and the same command tries again")


def failure_lines(outcome: Outcome, name: str, known: set[str]) -> list[str]:
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


def _line(record: RunRecord, done: int, total: int) -> str:
    values = ", ".join(f"{arm} {value:.3f}" for arm, value in record.accuracies.items())
    return f"[{done}/{total}] seed {record.seed}, {record.cpu_seconds:.1f} s of CPU" + (values and f": {values}")


def silent(*_news: object) -> None:
    """Report nothing, and show no progress."""
