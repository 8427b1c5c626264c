"""The trials that failed, as ``subtx-toy results failed`` lists them; apart, so that it loads no library."""

from __future__ import annotations

from pathlib import Path

from subtx_toy.api.arguments import store_path
from subtx_toy.store import Store
from subtx_toy.store.failures import Failure, failures


def failed_trials(experiment: str | None = None, *, store: str | Path | None = None) -> list[Failure]:
    """Return the trials that failed, the latest last, with their settings, causes and tracebacks.

    Args:
        experiment: the name under which they were planned; None for all.
        store: the results file, as in ``results``.

    Raises:
        InputError: if there is no such store.
    """
    with Store(store_path(store), read_only=True) as opened:
        return [one for one in failures(opened) if experiment is None or one.experiment == experiment]
