"""Hand batches of trials to workers and yield their outcomes as they finish, even if workers die."""

from __future__ import annotations

import concurrent.futures
import itertools
import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
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
            if not suspects and suspected is None:
                for batch in _batches(supply, size, 2 * workers.num - len(running)):
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
            errors = {future: error for future in done if (error := _error(future)) is not None}
            outcomes: list[TrialOutcome] = []
            for future in done - errors.keys():
                size.learn(future.result())
                outcomes += future.result()
                suspected = None if future is suspected else suspected
                del running[future], deadlines[future]  # which would keep what it found
            if outcomes:
                yield outcomes  # together: storing them is one write, however many batches they are
            for future, error in errors.items():
                batch = running.pop(future)
                del deadlines[future]
                if not workers.died(error):
                    raise error
                cause = workers.recover() or ""
                if future is suspected:
                    died = f"its worker process died{cause}, with other trials running and again alone"
                    yield [TrialOutcome(batch[0], None, died)]
                else:
                    suspects.extend(batch)
                suspected = None if future is suspected else suspected
    finally:
        workers.close(at_once=not at_an_end)


def _batches(supply: Supply, size: _BatchSize, num: int) -> Iterator[Sequence[Trial]]:
    """Take the trials of up to ``num`` batches at once: giving them out is one write, however many they are."""
    left, sizes = supply.left(), list[int]()
    while left > 0 and len(sizes) < num:
        sizes.append(size.next(left))
        left -= sizes[-1]
    taken = iter(supply.take(sum(sizes)))
    for wanted in sizes:
        if batch := list(itertools.islice(taken, wanted)):
            yield batch


def _error(future: Future[list[TrialOutcome]]) -> BaseException | None:
    return CancelledError() if future.cancelled() else future.exception()


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
