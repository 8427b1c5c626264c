"""One coordinator's part of a sweep: claim trials, run them, store what comes out."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from subtx_toy.errors import StoreError
from subtx_toy.store import Store
from subtx_toy.store.coordinators import Holder
from subtx_toy.store.trials import Entry, Leases, states
from subtx_toy.sweep.engine import run
from subtx_toy.sweep.trial import Trial, TrialOutcome
from subtx_toy.sweep.workers import Workers


@dataclass(frozen=True)
class Tally:
    """How far a sweep is, in trials; ``elsewhere`` are those another session on the store finished by now.

    ``waiting_for`` holds the other coordinators once all that is left is run by them.
    """

    total: int
    stored: int = 0
    done: int = 0
    elsewhere: int = 0
    failed: int = 0
    failed_before: int = 0
    waiting_for: tuple[Holder, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        """Return the tally of two rounds, of which the second is under way."""
        counts = ("total", "stored", "done", "elsewhere", "failed", "failed_before")
        added = {name: getattr(self, name) + getattr(other, name) for name in counts}
        return replace(other, **added)

    @property
    def left(self) -> int:
        """Trials that are neither finished nor failed."""
        return self.total - self.stored - self.done - self.elsewhere - self.failed - self.failed_before


class _Leased:
    """A supply of the trials that no other coordinator has."""

    def __init__(self, trials: Sequence[Trial], leases: Leases) -> None:
        self._waiting, self._held = deque(trials), deque[Trial]()
        self._leases = leases
        self.elsewhere = self.failed = 0  # trials that another coordinator finished, or that failed there
        self.others: tuple[Holder, ...] = ()  # who runs all that is left

    def take(self, most: int) -> list[Trial]:
        taken: list[Trial] = []
        if not self._waiting:  # those that others run: one of them may have died
            self._waiting, self._held = self._held, deque()
        while self._waiting and len(taken) < most:
            batch = [self._waiting.popleft() for _ in range(min(most - len(taken), len(self._waiting)))]
            found = self._leases.claim([trial.run_id for trial in batch])
            for trial in batch:
                state = found[trial.run_id]
                if state == "claimed":
                    taken.append(trial)
                elif state == "running":
                    self._held.append(trial)
                elif state == "failed":
                    self.failed += 1
                else:
                    self.elsewhere += 1
        self.others = self._leases.others() if self._held and not self._waiting else ()
        return taken

    def left(self) -> int:
        return len(self._waiting) + len(self._held)

    def beat(self) -> None:
        self._leases.beat()


def carry_out(
    trials: Sequence[Trial],
    store: Store,
    open_workers: Callable[[], Workers],
    *,
    experiment: str,
    retry_failed: bool = False,
    max_failures: int | None = None,
) -> Generator[tuple[Tally, list[TrialOutcome]], None, None]:
    """Run the trials that are not stored, and yield how far the sweep is with what has finished and been stored since.

    The first tally comes before any trial has run. Trials that other coordinators run on the same store are waited for,
    and taken over if their coordinator dies or stays stopped. After ``max_failures`` the others stay pending.
    """
    known = states(store, [trial.run_id for trial in trials])
    todo, tally = [], Tally(len(trials))
    for trial in trials:
        state = known.get(trial.run_id)
        if state == "done":
            tally = replace(tally, stored=tally.stored + 1)
        elif state == "failed" and not retry_failed:
            tally = replace(tally, failed_before=tally.failed_before + 1)
        else:
            todo.append(trial)
    yield tally, []
    if not todo:
        return
    leases = Leases(store)
    try:
        settings: dict[int, dict[str, object]] = {}  # by configuration: many trials share one
        for trial in todo:
            settings.setdefault(id(trial.config), trial.config.model_dump(exclude_defaults=True))
        entries = [Entry(trial.run_id, experiment, trial.seed, settings[id(trial.config)]) for trial in todo]
        leases.enter(entries, retry_failed=retry_failed)
        supply, failed_before = _Leased(todo, leases), tally.failed_before
        with contextlib.closing(run(supply, open_workers())) as batches:
            for outcomes in batches:
                records = [outcome.record for outcome in outcomes if outcome.record is not None]
                failures = {outcome.trial.run_id: outcome.error for outcome in outcomes if outcome.record is None}
                if records:
                    store.add_all(records)
                if failures:
                    leases.fail(failures)
                tally = replace(
                    tally,
                    done=tally.done + len(records),
                    failed=tally.failed + len(failures),
                    elsewhere=supply.elsewhere,
                    failed_before=failed_before + supply.failed,
                    waiting_for=supply.others,
                )
                yield tally, outcomes
                if max_failures is not None and tally.failed >= max_failures:
                    return
            last = replace(
                tally, elsewhere=supply.elsewhere, failed_before=failed_before + supply.failed, waiting_for=()
            )
            if last != tally:
                yield last, []
    finally:
        with contextlib.suppress(StoreError):  # then the next coordinator finds this one dead
            leases.close()
