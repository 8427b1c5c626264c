"""Trials that are not finished: pending, running under a coordinator's lease, or failed with a traceback.

A coordinator claims what it is about to run in one transaction, so that several of them on one store share the work and
none of it is done twice. What a dead coordinator was running is pending again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from subtx_toy.store.coordinators import Coordinator, register, remove_dead
from subtx_toy.store.records import Store, takes_store

BEAT_SECONDS = 5.0  # between heartbeats: a dozen of them in a lease


@dataclass(frozen=True)
class Entry:
    """What the store keeps of a trial before it is finished; ``config`` holds the settings not at their default."""

    run_id: str
    experiment: str
    seed: int
    config: Mapping[str, object]


@takes_store
def states(store: Store, run_ids: Sequence[str]) -> dict[str, str]:
    """Return the state of each of the keys that the store knows: pending, running, done or failed."""
    query = "SELECT run_id, state FROM trials WHERE run_id IN (SELECT value FROM json_each(?))"
    with store.connection.explained():
        found = dict(store.connection.sqlite.execute(query, (json.dumps(list(run_ids)),)).fetchall())
    return found | dict.fromkeys(store.stored(run_ids), "done")


@takes_store
def failure(store: Store, run_id: str) -> str | None:
    """Return the traceback of a failed trial, or None if it has not failed."""
    query = "SELECT error FROM trials WHERE run_id = ? AND state = 'failed'"
    with store.connection.explained():
        row = store.connection.sqlite.execute(query, (run_id,)).fetchone()
    return None if row is None else str(row[0])


@takes_store
def entry(store: Store, run_id: str) -> tuple[Entry, str] | None:
    """Return a trial with its state, or None if it was never planned here."""
    query = "SELECT run_id, experiment, seed, config, state FROM trials WHERE run_id = ?"
    with store.connection.explained():
        row = store.connection.sqlite.execute(query, (run_id,)).fetchone()
    return None if row is None else (Entry(row[0], row[1], row[2], json.loads(row[3])), row[4])


class Leases:
    """The trials that one coordinator runs; leave it by ``close`` so that others need not wait for what is left."""

    def __init__(self, store: Store, *, coordinator: Coordinator | None = None) -> None:
        self._store = store
        self._me = coordinator or Coordinator.this_process()
        self._last_beat = 0.0
        self.beat()

    def beat(self) -> None:
        """Say that this coordinator lives, every few seconds however often it is called."""
        if time.monotonic() - self._last_beat < BEAT_SECONDS and self._last_beat:
            return
        with self._store.connection.explained(), self._store.connection.transaction():
            register(self._store.connection.sqlite, self._me)
            remove_dead(self._store.connection.sqlite)
        self._last_beat = time.monotonic()

    def enter(self, entries: Sequence[Entry], *, retry_failed: bool) -> None:
        """Make trials pending that are not known yet, and with ``retry_failed`` those that failed."""
        now, connection = time.time(), self._store.connection
        rows = [(one.run_id, one.experiment, one.seed, json.dumps(one.config), now) for one in entries]
        with connection.explained(), connection.transaction():
            connection.sqlite.executemany(
                "INSERT OR IGNORE INTO trials VALUES (?, 'pending', ?, ?, ?, NULL, NULL, ?)", rows
            )
            if retry_failed:
                connection.sqlite.execute(
                    "UPDATE trials SET state = 'pending', error = NULL, changed_at = ? "
                    "WHERE state = 'failed' AND run_id IN (SELECT value FROM json_each(?))",
                    (now, json.dumps([one.run_id for one in entries])),
                )

    def claim(self, run_ids: Sequence[str]) -> dict[str, str]:
        """Take the pending ones of some trials; return the state of each, ``claimed`` or what others made of it."""
        connection, found = self._store.connection, {}
        with connection.explained(), connection.transaction():
            for run_id in run_ids:
                mine = (
                    "UPDATE trials SET state = 'running', owner = ?, changed_at = ? "
                    "WHERE run_id = ? AND state = 'pending' AND NOT EXISTS (SELECT 1 FROM runs WHERE run_id = ?)"
                )
                if connection.sqlite.execute(mine, (self._me.owner, time.time(), run_id, run_id)).rowcount:
                    found[run_id] = "claimed"
                    continue
                other = (
                    "SELECT CASE WHEN EXISTS (SELECT 1 FROM runs WHERE run_id = ?) THEN 'done' ELSE state END "
                    "FROM trials WHERE run_id = ?"
                )
                found[run_id] = connection.sqlite.execute(other, (run_id, run_id)).fetchone()[0]
        return found

    def fail(self, errors: Mapping[str, str]) -> None:
        """Write down the tracebacks of trials of this coordinator that failed."""
        failed = (
            "UPDATE trials SET state = 'failed', owner = NULL, error = ?, changed_at = ? WHERE run_id = ? AND owner = ?"
        )
        connection = self._store.connection
        with connection.explained(), connection.transaction():
            rows = [(error, time.time(), run_id, self._me.owner) for run_id, error in errors.items()]
            connection.sqlite.executemany(failed, rows)

    def close(self) -> None:
        """Give back what is not finished."""
        freed = (
            "UPDATE trials SET state = 'pending', owner = NULL, changed_at = ? WHERE state = 'running' AND owner = ?"
        )
        connection = self._store.connection
        with connection.explained(), connection.transaction():
            connection.sqlite.execute(freed, (time.time(), self._me.owner))
            connection.sqlite.execute("DELETE FROM coordinators WHERE owner = ?", (self._me.owner,))
