"""The garbage collector while torch is loaded: its modules are 160,000 objects, and none of them is garbage."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Collect nothing while modules are loaded."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def frozen() -> Iterator[None]:
    """Spare the collector what is loaded already: walking torch's modules took `verify` every tenth second."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
