"""Trials that are not finished: pending, running under a coordinator's lease, or failed with a traceback.

A coordinator claims what it is about to run in one transaction, so that several of them on one store share the work and
none of it is done twice. What a dead coordinator was running is pending again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from subtx_toy.store.coordinators import Coordinator, Holder, Seen, holders, register, remove_dead
from subtx_toy.store.inspection import damaged
from subtx_toy.store.records import Store, takes_store
from subtx_toy.store.stored_text import table_from

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
    """Return the state of each of the keys that the store knows: pending, running, done or failed.

    Done is what has a record: where that is gone, the trial is pending.
    """
    query = "SELECT run_id, state FROM trials WHERE run_id IN (SELECT value FROM json_each(?))"
    planned = {
        run_id: "pending" if state == "done" else state
        for run_id, state in store.connection.rows(query, json.dumps(list(run_ids)))
    }
    return planned | dict.fromkeys(store.stored(run_ids), "done")


@takes_store
def experiments_of(store: Store, run_ids: Sequence[str]) -> list[str]:
    """Return the names under which some trials were planned here, in their order; empty if one never was."""
    query = "SELECT experiment, COUNT(*) FROM trials WHERE run_id IN (SELECT value FROM json_each(?)) GROUP BY 1"
    found = {str(name): num for name, num in store.connection.rows(query, json.dumps(list(run_ids)))}
    return sorted(found) if sum(found.values()) == len(set(run_ids)) else []


@takes_store
def failure(store: Store, run_id: str) -> str | None:
    """Return the traceback of a failed trial, or None if it has not failed, or without one."""
    query = "SELECT error FROM trials WHERE run_id = ? AND state = 'failed' AND error IS NOT NULL"
    return next((str(error) for (error,) in store.connection.rows(query, run_id)), None)


@takes_store
def entry(store: Store, run_id: str) -> tuple[Entry, str] | None:
    """Return a trial without a record and its state, or None if it was never planned here."""
    query = "SELECT run_id, experiment, seed, config, state FROM trials WHERE run_id = ?"
    for key, experiment, seed, config, state in store.connection.rows(query, run_id):
        try:
            return Entry(key, experiment, seed, table_from(config)), "pending" if state == "done" else state
        except ValueError as error:
            raise damaged(store.path, f"the trial {key}: config: {error}") from None
    return None


@takes_store
def running(store: Store) -> tuple[Holder, ...]:
    """Return the coordinators that run trials of this store now, as far as they have given nothing back."""
    with store.connection.explained():
        return tuple(holders(store.connection.sqlite).values())


class Leases:
    """The trials that one coordinator runs; ``close`` it, so that others need not wait for what is left."""

    def __init__(self, store: Store, *, coordinator: Coordinator | None = None) -> None:
        self._connection, self._transaction = store.connection, store.connection.transaction
        self._me = coordinator or Coordinator.this_process()
        self._last_beat, self._seen = 0.0, Seen()
        self.beat()

    def beat(self) -> None:
        """Say that this coordinator lives, every few seconds however often it is called.

        Raises:
            StoreError: if the file of the store was taken away; this is looked at every time.
        """
        self._connection.check_in_place()
        if time.monotonic() - self._last_beat < BEAT_SECONDS and self._last_beat:
            return
        with self._transaction() as connection:
            register(connection, self._me)
            remove_dead(connection, self._seen)
        self._last_beat = time.monotonic()

    def others(self) -> tuple[Holder, ...]:
        """Return who else runs trials of this store now."""
        with self._connection.explained():
            found = holders(self._connection.sqlite)
        return tuple(holder for owner, holder in found.items() if owner != self._me.owner)

    def enter(self, entries: Sequence[Entry], *, retry_failed: bool) -> None:
        """Make trials pending that are not known yet, and with ``retry_failed`` those that failed."""
        now = time.time()
        rows = [(one.run_id, one.experiment, one.seed, json.dumps(one.config), now) for one in entries]
        retry = (
            "UPDATE trials SET state = 'pending', error = NULL, changed_at = ? "
            "WHERE state = 'failed' AND run_id IN (SELECT value FROM json_each(?))"
        )
        with self._transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO trials VALUES (?, 'pending', ?, ?, ?, NULL, NULL, ?)", rows)
            if retry_failed:
                connection.execute(retry, (now, json.dumps([one.run_id for one in entries])))

    def claim(self, run_ids: Sequence[str]) -> dict[str, str]:
        """Take the pending ones of some trials; return the state of each, ``claimed`` or what others made of it."""
        mine = (
            "UPDATE trials SET state = 'running', owner = ?, changed_at = ? "
            "WHERE run_id = ? AND state IN ('pending', 'done') "
            "AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.run_id = trials.run_id)"
        )
        other = (
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM runs WHERE run_id = ?) THEN 'done' ELSE state END "
            "FROM trials WHERE run_id = ?"
        )
        found = {}
        with self._transaction() as connection:
            for run_id in run_ids:
                if connection.execute(mine, (self._me.owner, time.time(), run_id)).rowcount:
                    found[run_id] = "claimed"
                else:
                    found[run_id] = next((state for (state,) in connection.execute(other, (run_id, run_id))), "lost")
        return found

    def fail(self, errors: Mapping[str, str]) -> None:
        """Write down the tracebacks of trials of this coordinator that failed."""
        failed = (
            "UPDATE trials SET state = 'failed', owner = NULL, error = ?, changed_at = ? WHERE run_id = ? AND owner = ?"
        )
        rows = [(error, time.time(), run_id, self._me.owner) for run_id, error in errors.items()]
        with self._transaction() as connection:
            connection.executemany(failed, rows)

    def close(self) -> None:
        """Give back what is not finished."""
        freed = (
            "UPDATE trials SET state = 'pending', owner = NULL, changed_at = ? WHERE state = 'running' AND owner = ?"
        )
        with self._transaction() as connection:
            connection.execute(freed, (time.time(), self._me.owner))
            connection.execute("DELETE FROM coordinators WHERE owner = ?", (self._me.owner,))
