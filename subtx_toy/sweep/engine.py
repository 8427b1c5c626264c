"""Hand batches of trials to workers and yield their outcomes as they finish, even if workers die."""

from __future__ import annotations

import concurrent.futures
import math
import time
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Protocol, runtime_checkable

from subtx_toy.sweep.time_limit import overdue
from subtx_toy.sweep.trial import Trial, TrialOutcome
from subtx_toy.sweep.workers import LocalWorkers, Workers

_BATCH_SECONDS = 0.3  # minimum work of a batch: handing one over and storing it takes some milliseconds
_TICK_SECONDS = 0.5  # between looks at a supply that has nothing to give now
_MAX_TRIALS = 256  # per batch, however short they are
_GRACE_SECONDS = (
    30.0  # beyond the time limit of its trials, until a batch's worker is ended; it may have to start first
)


@runtime_checkable
class Supply(Protocol):
    """Where trials come from."""

    def take(self, most: int) -> Sequence[Trial]:
        """Return up to ``most`` trials to run now; none if others have them or there are none left."""

    def left(self) -> int:
        """Return how many trials may still be taken."""

    def beat(self) -> None:
        """Note that the engine works; it calls this at least every few seconds."""


def run(supply: Supply, workers: Workers) -> Generator[list[TrialOutcome], None, None]:
    """Run what ``supply`` gives, and yield outcomes as they come; an empty list after half a second without any.

    Every trial draws from streams of its own, so records do not depend on workers, batches or order. If a worker dies,
    the trials that were under way run again, each alone, which shows the one that kills its worker. A worker on this
    machine that does not end a trial after its time limit is ended. Leaving the iterator early, by an error or by
    Ctrl-C, stops the workers at once.
    """
    running: dict[Future[list[TrialOutcome]], Sequence[Trial]] = {}
    deadlines: dict[Future[list[TrialOutcome]], float] = {}
    suspects: deque[Trial] = deque()  # were under way when a worker died
    suspected: Future[list[TrialOutcome]] | None = None  # runs alone: if its worker dies, it is to blame
    size, at_an_end = _BatchSize(workers.num), False
    try:
        while True:
            supply.beat()
            while not suspects and suspected is None and len(running) < 2 * workers.num:
                batch = supply.take(size.next(supply.left()))
                if not batch:
                    break
                future = _submit(batch, workers)
                running[future], deadlines[future] = batch, _deadline(batch, workers)
            if suspects and not running:
                alone = [suspects.popleft()]
                suspected = _submit(alone, workers)
                running[suspected], deadlines[suspected] = alone, _deadline(alone, workers)
            if not running:
                if not supply.left():
                    at_an_end = True
                    return
                yield []
                time.sleep(_TICK_SECONDS)
                continue
            done, _ = concurrent.futures.wait(running, _TICK_SECONDS, concurrent.futures.FIRST_COMPLETED)
            if not done:
                yield []
                late = next((future for future in running if deadlines[future] < time.monotonic()), None)
                if late is not None:
                    workers.recover()
                    stuck = running.pop(late)
                    del deadlines[late]
                    if len(stuck) == 1:
                        yield [TrialOutcome(stuck[0], None, overdue(stuck[0].timeout or 0.0))]
                    else:
                        suspects.extend(stuck)
                    suspected = None if late is suspected else suspected
                    done, _ = concurrent.futures.wait(running, _GRACE_SECONDS)  # they ended with it
            for future in done:
                batch = running.pop(future)
                del deadlines[future]  # which would keep what it found
                error = CancelledError() if future.cancelled() else future.exception()
                if error is None:
                    size.learn(future.result())
                    yield future.result()
                elif not workers.died(error):
                    raise error
                else:
                    cause = workers.recover() or ""
                    if future is suspected:
                        died = f"its worker process died{cause}, with other trials running and again alone"
                        yield [TrialOutcome(batch[0], None, died)]
                    else:
                        suspects.extend(batch)
                suspected = None if future is suspected else suspected
    finally:
        workers.close(at_once=not at_an_end)


def _submit(batch: Sequence[Trial], workers: Workers) -> Future[list[TrialOutcome]]:
    try:
        return workers.submit(batch)
    except Exception as error:
        if not workers.died(error):
            raise
        workers.recover()  # a worker died while it had nothing to do
        return workers.submit(batch)


def _deadline(batch: Sequence[Trial], workers: Workers) -> float:
    """Return when a batch must have ended; one waits for at most another one before it starts."""
    limits = [trial.timeout for trial in batch if trial.timeout is not None]
    if len(limits) < len(batch) or not isinstance(workers, LocalWorkers):
        return math.inf
    return time.monotonic() + 2 * sum(limits) + _GRACE_SECONDS


class _BatchSize:
    """How many trials make a batch: enough for ``_BATCH_SECONDS``, and few enough for all workers to share the rest."""

    def __init__(self, num_workers: int) -> None:
        self._num_workers = num_workers
        self._seconds = math.inf  # a trial, a running mean; until the first is measured, batches hold one

    def learn(self, outcomes: Sequence[TrialOutcome]) -> None:
        for outcome in outcomes:
            seconds = outcome.ended - outcome.started
            self._seconds = seconds if math.isinf(self._seconds) else 0.8 * self._seconds + 0.2 * seconds

    def next(self, left: int) -> int:
        wanted = math.ceil(_BATCH_SECONDS / max(self._seconds, _BATCH_SECONDS / _MAX_TRIALS))
        return max(1, min(wanted, left // (2 * self._num_workers)))
