"""A process with torch loaded, from which the workers of a sweep are forked: torch is loaded once for all of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from multiprocessing.context import BaseContext
from typing import Any

_PRELOADED = ["subtx_toy.sweep.trial", "subtx_toy.protocols.protocol", "subtx_toy.protocols.distillation"]


class ForkServer:
    """Python's own fork server, while one sweep uses it; without one, workers are spawned.

    A worker is never forked from this process, whose libraries may hold locks in threads of theirs. The server has one
    thread: it imports modules, computes nothing, and its libraries are told to use one thread each.
    """

    def __init__(self) -> None:
        self._server: Any = None

    def context(self) -> BaseContext:
        """Return how workers are to be started, starting the server if this platform and process can have one."""
        if self._server is None and not self._started():
            return multiprocessing.get_context("spawn")
        return multiprocessing.get_context("forkserver")

    def _started(self) -> bool:
        if sys.platform != "linux":  # elsewhere system libraries do not survive a fork
            return False
        from multiprocessing import forkserver

        server: Any = forkserver._forkserver
        if getattr(server, "_forkserver_pid", 0) is not None:  # the caller's, with other modules and threads
            return False
        before = server._preload_modules
        try:
            server.set_forkserver_preload(_PRELOADED)
            server.ensure_running()
        except OSError:  # no room for its socket, or a path that is too long for one
            return False
        finally:
            server.set_forkserver_preload(before)
        self._server = server
        return True

    def close(self) -> None:
        """End the server, which has nothing to save; workers that it forked are not ended."""
        server, self._server = self._server, None
        if server is not None and server._forkserver_pid is not None:
            with contextlib.suppress(OSError):  # it has ended, and something else has waited for it
                os.kill(server._forkserver_pid, signal.SIGKILL)
                server._stop()
