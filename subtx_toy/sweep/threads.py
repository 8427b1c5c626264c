"""How many threads the numerical libraries take: one, since processes are what uses the processors here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Read by the numerical libraries when they are loaded."""


def prefer_one_thread() -> None:
    """Give libraries loaded from now on one thread, the fastest for small products, unless the user asks for more."""
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch take one thread: the fastest number for small problems, and one order of additions, bit for bit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def processors() -> int:
    """Return the processors this process may use, which a container or a batch system can make fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
