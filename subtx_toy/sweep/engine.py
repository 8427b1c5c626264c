"""Run trials in processes, one thread each, and hand over their records as they finish."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import traceback
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from subtx_toy.record import RunRecord
from subtx_toy.sweep.trial import THREAD_VARIABLES, Trial, run_trial, start_worker

_PATIENCE_SECONDS = 5.0  # from asking a worker to stop to making it; it has nothing to save


@dataclass(frozen=True)
class Outcome:
    """How one trial ended: with a record, or with the text of the error that stopped it."""

    trial: Trial
    record: RunRecord | None
    error: str = ""


def run_trials(trials: Sequence[Trial], *, workers: int) -> Iterator[Outcome]:
    """Run ``trials`` in ``workers`` processes and yield each outcome as soon as it is there, in any order.

    Every trial draws from streams of its own, so records do not depend on the number of workers or on the order. At
    most ``workers`` trials wait beside those that run. If a worker dies, the trials that were under way are run again
    one by one, so that a trial that kills its worker is told from its neighbours. Leaving the iterator early, by an
    error or by Ctrl-C, stops the workers at once; trials already yielded are not affected.
    """
    waiting = deque(trials)
    with _one_thread_each():
        while waiting:
            for trial in (yield from _run_in_pool(waiting, workers)):
                if (yield from _run_in_pool(deque([trial]), 1)):
                    yield Outcome(trial, None, "its worker process died, with other trials beside it and again alone")


def _run_in_pool(waiting: deque[Trial], workers: int) -> Generator[Outcome, None, list[Trial]]:
    """Run what is waiting until all is done or a worker dies; return the trials that were under way then."""
    # Spawned, not forked: a forked child inherits locked locks of the numerical libraries.
    context = multiprocessing.get_context("spawn")
    not_ours = set(multiprocessing.active_children())
    pool = concurrent.futures.ProcessPoolExecutor(
        min(workers, len(waiting)), mp_context=context, initializer=start_worker
    )
    running: dict[concurrent.futures.Future[RunRecord], Trial] = {}
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                running[pool.submit(run_trial, waiting[0])] = waiting[0]
                waiting.popleft()
            finished, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in finished:
                if isinstance(future.exception(), BrokenProcessPool):
                    return list(running.values())
                yield _outcome(running.pop(future), future)
        pool.shutdown()
    except BrokenProcessPool:  # submit() finds the pool broken before any future does
        return list(running.values())
    finally:
        # After a normal end there are no workers left; otherwise whatever they do is not wanted any more.
        pool.shutdown(wait=False, cancel_futures=True)
        ours = set(multiprocessing.active_children()) - not_ours
        for process in ours:
            process.terminate()
        for process in ours:
            process.join(_PATIENCE_SECONDS)
            if process.is_alive():
                process.kill()
    return []


def _outcome(trial: Trial, future: concurrent.futures.Future[RunRecord]) -> Outcome:
    error = future.exception()
    if error is None:
        return Outcome(trial, future.result())
    return Outcome(trial, None, "".join(traceback.format_exception(error)))


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    # Children read these when they load their libraries; the coordinator has read its own already.
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
