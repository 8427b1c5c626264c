"""Workers of a Dask cluster: one of this machine's own, or one that runs already."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

from subtx_toy.errors import WorkerError
from subtx_toy.sweep.dask_cluster import OwnCluster, silence
from subtx_toy.sweep.trial import Edition, Trial, TrialOutcome, run_batch

_COUNT_SECONDS = 5.0  # between looks at how many workers there are
_MAX_MISSED = 2  # looks without a worker until that is reported; a nanny takes a few seconds to start another
CONNECT_SECONDS = 30.0
"""A scheduler answers within milliseconds; a login node may be slow."""


class DaskWorkers:
    """The workers of the Dask ``scheduler`` at an address, or of a cluster of ``num`` on 127.0.0.1 of its own.

    ``report`` is called with one line when no worker is left.
    """

    def __init__(self, num: int, scheduler: str | None = None, report: Callable[[str], None] | None = None) -> None:
        try:
            import distributed
        except ModuleNotFoundError:
            raise WorkerError(
                "engine: expected Dask to be installed, got none; install it with: pip install distributed cryptography"
            ) from None
        self._distributed: Any = distributed
        silence()
        self._own: OwnCluster | None = None
        self._client: Any = None
        self._num, self._counted, self._missed = 1, -_COUNT_SECONDS, 0
        self._report = report
        self._address = scheduler or "its own scheduler"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._open(num, scheduler)
        except WorkerError:
            raise
        except Exception as error:  # Dask and ssl have many, of which none is in words for users
            self.close(at_once=True)
            raise WorkerError(f"scheduler: cannot use {self._address}: {self._reason(error, scheduler)}") from None
        except BaseException:
            self.close(at_once=True)
            raise
        client: Any = self._client
        self._executor = client.get_executor(pure=False)

    def _open(self, num: int, scheduler: str | None) -> None:
        if scheduler is None:
            self._own = OwnCluster(num)
            self._client = self._connected(self._own.cluster, security=self._own.security)
        else:
            self._client = self._connected(scheduler)
        self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)

    def _connected(self, place: Any, **options: Any) -> Any:
        """Return a client; Dask itself waits without end for a scheduler that accepts and stays silent."""
        found: Future[Any] = Future()

        def connect() -> None:
            try:
                client = self._distributed.Client(place, timeout=CONNECT_SECONDS, set_as_default=False, **options)
            except BaseException as error:
                found.set_exception(error)
            else:
                found.set_result(client)

        threading.Thread(target=connect, daemon=True).start()
        return found.result(CONNECT_SECONDS + 1.0)

    def _reason(self, error: Exception, scheduler: str | None) -> str:
        """Say in our words why there is no cluster."""
        if scheduler is None:
            return "its workers did not start; try fewer --workers, or --engine local"
        if self._client is not None:
            return f"no worker has come in {CONNECT_SECONDS:g} s"
        if scheduler.startswith("tls://") and not self._has_certificates():
            return "tls:// needs certificates, and none are set; see DASK_DISTRIBUTED__COMM__TLS in docs/clusters.md"
        if isinstance(error, FileNotFoundError | PermissionError | ssl.SSLError):
            return "the certificates that DASK_DISTRIBUTED__COMM__TLS names cannot be read"
        if "certificate" in str(error):
            return "it does not take the certificates that DASK_DISTRIBUTED__COMM__TLS names"
        try:
            socket.getaddrinfo(scheduler.rpartition("/")[2].rpartition(":")[0].strip("[]"), None)
        except (OSError, UnicodeError):
            return "there is no host of this name"
        hint = "" if scheduler.startswith("tls://") else ", or it expects tls://"
        return f"it does not answer in {CONNECT_SECONDS:g} s{hint}"

    def _has_certificates(self) -> bool:
        found: Any = self._distributed.Security().get_tls_config_for_role("client")
        return bool(found.get("cert") and found.get("ca_file"))

    @property
    def num(self) -> int:
        """Threads of the workers that were there a few seconds ago at most; a cluster may grow and shrink."""
        if time.monotonic() - self._counted > _COUNT_SECONDS:
            with self._reached():
                found = int(sum(self._client.nthreads().values()))
            self._num, self._counted = max(1, found), time.monotonic()
            self._missed = 0 if found else self._missed + 1
            if self._missed == _MAX_MISSED and self._report is not None:
                self._report("no worker is left; the sweep waits for one, and Ctrl-C keeps what is stored")
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
        with contextlib.suppress(Exception):  # it may be missing or broken, and is not needed any more
            self._client.close(timeout=5)
        if self._own is not None:
            self._own.close()
