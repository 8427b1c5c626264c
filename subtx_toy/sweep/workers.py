"""Where batches of trials run: the seam between the engine and what executes it, and processes of this machine."""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import Any, Protocol, runtime_checkable

from subtx_toy.errors import WorkerError
from subtx_toy.sweep.fork_server import ForkServer
from subtx_toy.sweep.threads import THREAD_VARIABLES
from subtx_toy.sweep.trial import Edition, Trial, TrialOutcome, run_batch, start_worker
from subtx_toy.training import pulse

_INTERRUPTS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_KEEPING_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
"""For the C library of Linux: what one product frees the next one takes, and the system need not clear it again."""

_PATIENCE_SECONDS = 5.0  # from asking a worker to stop to making it; it has nothing to save


@runtime_checkable
class Workers(Protocol):
    """Processes that run batches, on this machine or on others."""

    @property
    def num(self) -> int:
        """Batches that can run at the same time."""

    def submit(self, trials: Sequence[Trial]) -> Future[list[TrialOutcome]]:
        """Start a batch, or queue it; may raise what ``died`` knows."""

    def died(self, error: BaseException) -> bool:
        """Return whether an error says that the worker of a batch died, and not that the batch went wrong."""

    def recover(self) -> str | None:
        """Make it possible to go on after a worker died; may say of what, as " of signal 11 (SIGSEGV)"."""

    def close(self, *, at_once: bool) -> None:
        """End the workers: after their work, or ``at_once`` and with it."""


class LocalWorkers:
    """``num`` processes of this machine, one thread each, made when they are needed."""

    def __init__(self, num: int) -> None:
        self.num = num
        self._server = ForkServer()
        self._memory: Any = None  # for the pulses of the workers
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None
        self._under_way: list[Future[list[TrialOutcome]]] = []
        self._not_ours = set(multiprocessing.active_children())

    def submit(self, trials: Sequence[Trial]) -> Future[list[TrialOutcome]]:
        """Start a batch, or queue it."""
        try:
            with _environment(), _without_main(), _postponed(), _uninterrupted():
                if self._pool is None:
                    # Not forked from here: a forked child inherits locked locks of the numerical libraries.
                    context = self._server.context()
                    self._memory = pulse.shared_memory()
                    self._pool = concurrent.futures.ProcessPoolExecutor(
                        self.num, mp_context=context, initializer=start_worker, initargs=(self._memory,)
                    )
                batch = self._pool.submit(run_batch, tuple(trials), Edition.here())
        except (OSError, ImportError, RuntimeError) as error:  # RuntimeError: no thread can be started
            if isinstance(error, concurrent.futures.BrokenExecutor):
                raise
            raise WorkerError(f"workers: cannot start {self.num} processes: {_missing(error)}") from None
        self._under_way = [*(other for other in self._under_way if not other.done()), batch]
        return batch

    def pulses(self) -> dict[str, pulse.Pulse]:
        """Return how far the running trials are, by the beginning of their keys."""
        return {} if self._memory is None else {one.key: one for one in pulse.pulses(self._memory)}

    def died(self, error: BaseException) -> bool:
        """Return whether the pool is broken, as it is with any of its workers."""
        return isinstance(error, BrokenProcessPool | CancelledError)

    def recover(self) -> str:
        """Drop the broken pool, so that the next batch makes a new one; return of what its first worker died."""
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._end_pool(at_once=True)
        return _cause([process.exitcode for process in processes])

    def close(self, *, at_once: bool) -> None:
        """End the workers: after their work, or ``at_once`` and with it."""
        self._end_pool(at_once=at_once)
        self._server.close()

    def _end_pool(self, *, at_once: bool) -> None:
        if self._pool is None:
            return
        if not at_once:
            concurrent.futures.wait(self._under_way)
        # A worker has nothing to save, and left to itself takes a second to take down what it has loaded.
        manager = getattr(self._pool, "_executor_manager_thread", None)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None
        ours = set(multiprocessing.active_children()) - self._not_ours
        for process in ours:
            process.terminate()
        for process in ours:
            process.join(_PATIENCE_SECONDS)
            if process.is_alive():
                process.kill()
        if manager is not None:  # at exit Python would write to the pipe that it is closing
            manager.join(_PATIENCE_SECONDS)


def _cause(codes: Sequence[int | None]) -> str:
    """Say of what a pool's processes ended; all but the first are ended by SIGTERM.

    >>> _cause([-15, -11]), _cause([3]), _cause([])
    (' of signal 11 (SIGSEGV)', ' with exit code 3', '')
    """
    known = [code for code in codes if code]
    code = next((code for code in known if code != -signal.SIGTERM), known[0] if known else 0)
    if code > 0:
        return f" with exit code {code}"
    if code < 0:
        names = {one.value: one.name for one in signal.Signals}
        why = ", as the system sends it when memory runs out" if code == -signal.SIGKILL else ""
        return f" of signal {-code} ({names.get(-code, 'unknown')}{why})"
    return ""


def _missing(error: Exception) -> str:
    """Say what a process of its own needs and does not get."""
    number = getattr(error, "errno", None)
    if number in (errno.EMFILE, errno.ENFILE):
        return "too many open files; allow more of them with ulimit -n, or use fewer --workers"
    if number in (errno.EAGAIN, errno.ENOMEM):
        return f"{os.strerror(number)}; use fewer --workers"
    if isinstance(error, ImportError) or not os.access("/dev/shm", os.W_OK):
        return "they need shared memory, and /dev/shm is missing or cannot be written"
    return str(getattr(error, "strerror", None) or error)


@contextlib.contextmanager
def _postponed() -> Iterator[None]:
    """Let an interrupt wait: half a process cannot be ended, and would complain of what is missing by then.

    Blocking the signals is not enough. One that reaches another thread of this process is answered in the main one.
    """
    if threading.current_thread() is not threading.main_thread():  # where Python answers none
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in _INTERRUPTS}
    postponed = [number for number, answer in before.items() if callable(answer)]
    try:
        for number in postponed:
            signal.signal(number, lambda number, _frame: came.append(number))
        yield
    finally:
        for number in postponed:
            signal.signal(number, before[number])
        for number in came:
            signal.raise_signal(number)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Start processes that no interrupt reaches, not even while they load; the coordinator answers for all of them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        resource_tracker.ensure_running()  # starting it would lift the block of SIGINT
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # what came in the meantime comes now


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    # Children read these when they start and load their libraries; the coordinator has read its own already.
    wanted = dict.fromkeys(THREAD_VARIABLES, "1")
    wanted |= {name: value for name, value in _KEEPING_MEMORY.items() if name not in os.environ}  # else the user's
    before = {name: os.environ[name] for name in wanted if name in os.environ}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in wanted:
            os.environ.pop(name, None)
        os.environ.update(before)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    # A spawned process first runs the script that started its parent, unless that names no file. Nothing of the script
    # is needed, and a script without a guard would start the work again in every worker.
    main = sys.modules["__main__"]
    before = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    main.__spec__ = None
    if "__file__" in before:
        del main.__file__
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(main, name, value)
