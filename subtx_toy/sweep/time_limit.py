"""A limit on the seconds of one trial, which an exception ends wherever it is."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Iterator

_AGAIN_SECONDS = 1.0  # a destructor or a bare ``except`` can swallow an exception


class TimeLimitError(BaseException):
    """A trial has run too long; no ``except Exception`` of its own may catch this."""


def overdue(seconds: float) -> str:
    """Say that a trial has run too long."""
    return f"it ran longer than the {seconds:g} seconds that --trial-timeout allows"


@contextlib.contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """End the block after so many seconds; None is no limit.

    In the main thread a signal does it, which also wakes what sleeps or waits. In another thread, as Dask has them, the
    exception comes when the thread next executes Python code.

    Raises:
        TimeLimitError: after that time.
    """
    if seconds is None:
        yield
        return
    end = _with_signal if threading.current_thread() is threading.main_thread() else _with_thread
    with end(seconds):
        yield


@contextlib.contextmanager
def _with_signal(seconds: float) -> Iterator[None]:
    def stop(_number: int, _frame: object) -> None:
        raise TimeLimitError(overdue(seconds))

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        finally:  # where the signal comes at this very moment, the next one is a second away
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _with_thread(seconds: float) -> Iterator[None]:
    identifier, finished = threading.get_ident(), threading.Event()
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    late = type("Overdue", (TimeLimitError,), {"__str__": lambda _self: overdue(seconds)})

    def stop() -> None:
        wait = seconds
        while not finished.wait(wait):
            raise_in(ctypes.c_ulong(identifier), ctypes.py_object(late))
            wait = _AGAIN_SECONDS

    clock = threading.Thread(target=stop, daemon=True)
    clock.start()
    try:
        yield
    finally:
        ended = False
        while not ended:
            # What was sent and has not come yet comes here, at a turn of the loop. Taken back instead, it would leave
            # Python 3.11 looking for it at every call of every thread, and for ever at the first call that is traced.
            with contextlib.suppress(TimeLimitError):
                finished.set()
                clock.join()
                for _ in range(10):
                    pass
                ended = True
