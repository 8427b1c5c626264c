"""Trials that failed: why, in a line, and the end of what they left behind."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from subtx_toy.store.inspection import damaged
from subtx_toy.store.records import Store, takes_store
from subtx_toy.store.stored_text import table_from

_SIGNAL = re.compile(r"\bsignal (\d+)")


@dataclass(frozen=True)
class Failure:
    """One failed trial.

    Attributes:
        run_id: its content key.
        experiment: of the sweep that planned it.
        seed: names the random streams.
        config: the settings that are not at their default.
        error: the traceback, or why its worker ended.
        failed_at: seconds since 1970.
    """

    run_id: str
    experiment: str
    seed: int
    config: Mapping[str, object]
    error: str
    failed_at: float

    @property
    def cause(self) -> str:
        """The last line of the error that says something: of a traceback, the exception."""
        return next((line.strip() for line in reversed(self.error.splitlines()) if line.strip()), "unknown")

    @property
    def signal(self) -> int | None:
        """Number of the signal that ended the worker, or None."""
        found = _SIGNAL.search(self.error)
        return int(found[1]) if found else None

    def tail(self, lines: int) -> str:
        """Return the last lines of the error."""
        return "\n".join(self.error.rstrip().splitlines()[-lines:]) if lines > 0 else ""


@takes_store
def failures(store: Store, run_ids: Collection[str] | None = None) -> list[Failure]:
    """Return the failed trials of a store, the latest last; of some keys only, if they are given.

    Raises:
        StoreError: if the file cannot be read, or is damaged.
    """
    query = (
        "SELECT run_id, experiment, seed, config, error, changed_at FROM trials WHERE state = 'failed' "
        "ORDER BY changed_at, run_id"
    )
    found = []
    for key, experiment, seed, config, error, moment in store.connection.rows(query):
        if run_ids is not None and key not in run_ids:
            continue
        try:
            found.append(Failure(key, experiment, seed, table_from(config), error or "", moment))
        except ValueError as fault:
            raise damaged(store.path, f"the trial {key}: config: {fault}") from None
    return found
