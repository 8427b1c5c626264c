"""A Dask cluster of this machine's own: nobody else can use it, and it ends with the command."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from multiprocessing import resource_tracker
from typing import Any

from subtx_toy.errors import WorkerError

_LOGGING = "DASK_LOGGING__DISTRIBUTED"
_CONFIG: Mapping[str, object] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # what workers log before they have loaded anything of ours
    f"distributed.nanny.pre-spawn-environ.{_LOGGING}": "critical",
}
_START_SECONDS = 20.0  # within which workers have started, or never will
_LIBRARIES = ("distributed", "asyncio", "tornado")


def dask_setup(worker: object) -> None:  # noqa: ARG001, Dask calls this in each worker
    """Leave interrupts and messages to the coordinator: a terminal sends Ctrl-C to every process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    silence()


def silence() -> None:
    """Log nothing of Dask's own: what it would say of a lost connection, we say in words."""
    for name in (*_LIBRARIES, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LIBRARIES:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class OwnCluster:
    """``num`` workers on 127.0.0.1, without a dashboard; TLS keys that exist in memory only keep other users out."""

    def __init__(self, num: int) -> None:
        import dask
        import distributed

        library: Any = distributed  # its functions have no types
        try:
            self.security = library.Security.temporary()
        except ImportError:
            raise WorkerError(
                "engine: expected the package cryptography, which keeps other users of this machine out, got none; "
                "install it with: pip install cryptography"
            ) from None
        self._folder = tempfile.TemporaryDirectory(prefix="subtx-toy-dask-", ignore_cleanup_errors=True)
        self._settings, self._logging = contextlib.ExitStack(), os.environ.get(_LOGGING)
        self.cluster: Any = None
        try:
            # A worker that is started again later reads the configuration of then.
            self._settings.enter_context(dask.config.set(_CONFIG))
            self.cluster = _started(
                library.LocalCluster,
                n_workers=num,
                threads_per_worker=1,
                host="127.0.0.1",
                protocol="tls://",
                security=self.security,
                dashboard_address="127.0.0.1:0",  # without one Dask takes port 8787, which others may have
                scheduler_kwargs={"dashboard": False},
                worker_dashboard_address="127.0.0.1:0",
                local_directory=self._folder.name,
                memory_limit=0,
                silence_logs=logging.CRITICAL,
                preload=[__name__],
            )
        except BaseException:
            # At exit Dask would close a cluster that has not quite started, with a traceback.
            atexit.unregister(library.deploy.spec.close_clusters)
            self.close()
            raise

    def close(self) -> None:
        """End scheduler and workers, and remove what they wrote."""
        with contextlib.suppress(Exception):  # it may be broken, and is not needed any more
            if self.cluster is not None:
                self.cluster.close(timeout=5)
        self._settings.close()
        if self._logging is None:  # Dask sets it here, for its workers to inherit
            os.environ.pop(_LOGGING, None)
        self._folder.cleanup()


def _started(make: Callable[..., Any], **options: Any) -> Any:
    """Make a cluster in a thread that no interrupt reaches, nor the processes that are started from there."""
    found: Future[Any] = Future()

    def start() -> None:
        try:
            if hasattr(signal, "pthread_sigmask"):
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
                resource_tracker.ensure_running()  # which would lift the block of SIGINT
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            found.set_result(make(**options))
        except BaseException as error:
            found.set_exception(error)

    threading.Thread(target=start, daemon=True).start()
    try:
        return found.result()
    except KeyboardInterrupt:  # half a cluster cannot be closed
        wait([found], _START_SECONDS)
        if found.done() and found.exception() is None:
            found.result().close(timeout=5)
        raise
