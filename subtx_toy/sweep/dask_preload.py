"""What the workers of an own Dask cluster do when they start."""

from __future__ import annotations

import signal


def dask_setup(worker: object) -> None:
    """Leave interrupts to the coordinator: a terminal sends Ctrl-C to every process."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
