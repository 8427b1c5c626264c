"""How far the trial of this process is, in epochs, for a coordinator that shares some memory with it.

The memory needs no lock: a worker writes only its own row, and a row that is read half written shows a wrong number for
half a second. So a worker that is killed can keep nobody waiting.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

_NUM_ROWS = 256
_KEY_DIGITS = 13  # hexadecimal digits of a trial's key that a float holds exactly
_ROW = 4  # process, key, epochs done, epochs in all


class Pulse(NamedTuple):
    """Epochs done of all that a running trial has, and the beginning of the trial's key."""

    key: str
    done: int
    total: int


class _Trial:
    """What this process writes: its row, if a coordinator has given it one, and the epochs of its trial."""

    memory: Any = None
    listener: Callable[[int, int], None] | None = None
    place = 0
    done = total = 0


def shared_memory() -> Any:
    """Return memory for the pulses of the workers that a coordinator will start."""
    return multiprocessing.get_context("spawn").RawArray("d", _ROW * _NUM_ROWS)


def report_to(memory: Any, process: int) -> None:
    """Write the pulses of this process, whose id is ``process``, into shared memory from now on."""
    _Trial.memory, _Trial.place = memory, _ROW * (process % _NUM_ROWS)
    memory[_Trial.place] = process


@contextmanager
def heard(listener: Callable[[int, int], None]) -> Iterator[None]:
    """Call ``listener(done, total)`` after each epoch of this process until the block ends."""
    before, _Trial.listener = _Trial.listener, listener
    try:
        yield
    finally:
        _Trial.listener = before


def begin(key: str) -> None:
    """Note that a trial starts; how many epochs it has is said later."""
    _Trial.done = _Trial.total = 0
    if _Trial.memory is not None:
        _Trial.memory[_Trial.place + 1 : _Trial.place + 4] = [int(key[:_KEY_DIGITS], 16), 0.0, 0.0]


def expect(total: int) -> None:
    """Note how many epochs the trial of this process has in all phases together."""
    _Trial.total = total
    _write()


def tick() -> None:
    """Note that an epoch is done."""
    reach(_Trial.done + 1)


def reach(done: int) -> None:
    """Note that at least so many epochs are done, for example because a teacher was found in a cache."""
    _Trial.done = min(max(done, _Trial.done), _Trial.total)
    _write()
    if _Trial.listener is not None:
        _Trial.listener(_Trial.done, _Trial.total)


def _write() -> None:
    if _Trial.memory is not None:
        _Trial.memory[_Trial.place + 2 : _Trial.place + 4] = [float(_Trial.done), float(_Trial.total)]


def pulses(memory: Any) -> Iterator[Pulse]:
    """Yield what every worker wrote last, of trials whose epochs are known."""
    for place in range(0, len(memory), _ROW):
        process, key, done, total = memory[place : place + _ROW]
        if process and total:
            yield Pulse(f"{int(key):0{_KEY_DIGITS}x}", int(done), int(total))
