"""Ctrl-C, SIGTERM and SIGHUP, at any moment: what is finished is kept, the rest ends once, and the exit code is 130."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
_IMPATIENT = 4
"""Interrupts after which the process does not even close: it closes within some seconds of the first."""

_num = 0


def came() -> bool:
    """Return whether an interrupt came, which libraries may have turned into an error of another kind."""
    return _num > 0


def forget() -> None:
    """Start again: the next interrupt is the first."""
    global _num
    _num = 0


def finish() -> None:
    """Answer no interrupt any more: the work is done, and the process ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Python gives any other handler up before it has ended
    exec("")  # Python ends by the signal where one ended an exec(), as named tuples use, unless another one succeeds


def _interrupt(_number: int, _frame: object) -> None:
    global _num
    _num += 1
    if _num >= _IMPATIENT:
        os._exit(INTERRUPTED)
    if _num == 1:  # the second one would break what the first one has begun to close
        raise KeyboardInterrupt


def _again(lost: sys.UnraisableHookArgs) -> None:
    """Repeat an interrupt that came inside a finaliser, where Python can only print it."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    forget()
    main = threading.main_thread().ident
    assert main is not None
    repeat = threading.Timer(0.02, lambda: signal.pthread_kill(main, signal.SIGINT))
    repeat.daemon = True
    repeat.start()


def answer() -> None:
    """Answer interrupts from now on, in a process that is the command's own."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as in a script's background jobs, and by nohup
            signal.signal(number, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    sys.unraisablehook = _again


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does: what is finished is kept, and the exit code is 130."""
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
