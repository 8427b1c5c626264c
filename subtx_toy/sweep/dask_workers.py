"""Workers of a Dask cluster: one of this machine's own, or one that runs already."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

from subtx_toy.errors import WorkerError
from subtx_toy.sweep.trial import Edition, Trial, TrialOutcome, run_batch

_COUNT_SECONDS = 5.0  # between looks at how many workers there are
_CONNECT_SECONDS = 30.0  # a scheduler answers within milliseconds; a login node may be slow


def dask_setup(worker: object) -> None:  # noqa: ARG001, Dask calls this in each worker of an own cluster
    """Leave interrupts to the coordinator: a terminal sends Ctrl-C to every process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class DaskWorkers:
    """The workers of the Dask ``scheduler`` at an address, or of a cluster of ``num`` on 127.0.0.1 of its own."""

    def __init__(self, num: int, scheduler: str | None = None) -> None:
        try:
            import distributed
        except ModuleNotFoundError:
            raise WorkerError(
                "engine: expected Dask to be installed, got none; install it with: pip install 'subtx-toy[dask]'"
            ) from None
        self._distributed: Any = distributed
        for name in ("distributed", "asyncio", "tornado"):  # what they would log of a lost connection, we say in words
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._cluster: Any = None
        self._num, self._counted = 1, -_COUNT_SECONDS
        self._address = scheduler or "its own scheduler"
        try:
            if scheduler is None:
                # Bound to this machine: whoever reaches a scheduler can run code on it.
                self._cluster = self._distributed.LocalCluster(
                    n_workers=num,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address=None,
                    memory_limit=0,
                    silence_logs=logging.ERROR,
                    preload=[__name__],
                )
            self._client = self._distributed.Client(self._cluster or scheduler, timeout=_CONNECT_SECONDS)
            self._client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        except (OSError, TimeoutError, ValueError) as error:
            self.close(at_once=True)
            raise WorkerError(f"scheduler: cannot use {self._address}: {error or 'no worker has come'}") from None
        self._executor = self._client.get_executor(pure=False)

    @property
    def num(self) -> int:
        """Threads of the workers that were there a few seconds ago at most; a cluster may grow and shrink."""
        if time.monotonic() - self._counted > _COUNT_SECONDS:
            with self._reached():
                self._num = max(1, int(sum(self._client.nthreads().values())))
            self._counted = time.monotonic()
        return self._num

    def submit(self, trials: Sequence[Trial]) -> Future[list[TrialOutcome]]:
        """Start a batch, or queue it."""
        with self._reached():
            future: Future[list[TrialOutcome]] = self._executor.submit(run_batch, tuple(trials), Edition.here())
        return future

    def died(self, error: BaseException) -> bool:
        """Return whether Dask gave a batch up, after it had been on several workers that died."""
        if isinstance(error, CancelledError):
            raise self._lost()
        if isinstance(error, ImportError):
            raise WorkerError(f"worker: expected the coordinator's packages there, got: {error}")
        return isinstance(error, self._distributed.KilledWorker)

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (OSError, self._distributed.client.ClosedClientError) as error:
            raise self._lost() from error

    def _lost(self) -> WorkerError:
        return WorkerError(f"scheduler: lost {self._address}; what is finished is stored, and the same command goes on")

    def recover(self) -> None:
        """Do nothing: Dask's nannies start workers again."""

    def close(self, *, at_once: bool) -> None:  # noqa: ARG002, nothing outlives its client
        """Cancel what is not finished, leave the scheduler, and end an own cluster."""
        for part in ("_client", "_cluster"):
            with contextlib.suppress(Exception):  # it may be missing or broken, and is not needed any more
                getattr(self, part).close(timeout=5)
