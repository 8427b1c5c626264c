"""Finished trials: one row each, found again by its content key."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from subtx_toy.errors import InputError, StoreError
from subtx_toy.settings.arguments import checked, instance
from subtx_toy.store.connection import Connection
from subtx_toy.store.inspection import damaged
from subtx_toy.store.place import file_path
from subtx_toy.store.record import RunRecord
from subtx_toy.store.rescue import rescue
from subtx_toy.store.schema import index_result
from subtx_toy.store.stored_text import curve_bytes, record_from

if TYPE_CHECKING:
    from subtx_toy.settings.base import Settings

_OF_DAMAGE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_MAX_IN_MEMORY = 1000  # of the records written last, in case the file is overwritten


@checked(path=instance(str | Path, "the path of a results database"))
class Store:
    """An open results database; use it in a ``with`` statement.

    Args:
        path: the file, made with its folder when it does not exist, and brought to the present schema when it is older.
        read_only: whether it is only read; then the file has to exist, and need not be one that this process may write.

    Raises:
        StoreError: if the file cannot be made or written, is no results database, is damaged, was written by a later
            version of the package, or lies on a network file system, where SQLite's locks do not hold. A file that is
            refused is left as it is, byte for byte.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        self.path = file_path(path)
        self._in_hand: list[RunRecord] = []
        self._latest: deque[RunRecord] = deque(maxlen=_MAX_IN_MEMORY)
        self.connection = Connection(self.path, read_only=read_only, rescue=self._rescue)

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def add(self, record: RunRecord) -> bool:
        """Write one finished trial; return whether it was new. A trial that is there already is left as it is.

        Raises:
            StoreError: if it cannot be written, for example on a full disk; then nothing of it is.
        """
        return bool(self.add_all([record]))

    def add_all(self, records: Iterable[RunRecord]) -> int:
        """Write finished trials in one transaction, as ``add``; return how many were new."""
        self._in_hand = list(records)
        with self.connection.transaction() as connection:
            num = sum([_insert(connection, record) for record in self._in_hand])
        self._latest += self._in_hand
        self._in_hand = []
        return num

    def _rescue(self, is_readable: bool) -> str:
        def insert(connection: sqlite3.Connection) -> None:
            for record in (*self._latest, *self._in_hand):
                _insert(connection, record)

        return rescue(self.path, self.connection.sqlite if is_readable else None, insert)

    def get(self, run_ids: Sequence[str]) -> dict[str, RunRecord]:
        """Return the records there are of these keys.

        Raises:
            StoreError: if the file cannot be read.
        """
        found = {}
        for key in run_ids:  # by primary key, 10 microseconds each
            for (text,) in self.connection.rows("SELECT record FROM runs WHERE run_id = ?", key):
                found[key] = self._record(key, text)
        return found

    def stored(self, run_ids: Sequence[str]) -> set[str]:
        """Return those of the keys that have a record, without reading it.

        Raises:
            StoreError: if the file cannot be read.
        """
        query = "SELECT run_id FROM runs WHERE run_id IN (SELECT value FROM json_each(?))"
        return {key for (key,) in self.connection.rows(query, json.dumps(list(run_ids)))}

    def find(self, config: Settings) -> list[RunRecord]:
        """Return the records of one configuration, made by this RESULTS_VERSION, in the order of their seeds.

        Raises:
            StoreError: if the file cannot be read, or the records come from data of different checksums.
        """
        from subtx_toy.settings.base import RESULTS_VERSION, run_id  # heavy, and needed here alone

        self.connection.catch_up()
        query = "SELECT DISTINCT seed, dataset_sha256 FROM results WHERE results_version = ? ORDER BY seed"
        rows = self.connection.rows(query, RESULTS_VERSION)
        # By the key and not by the stored fields, which lack those that the configuration has got since.
        keys = [run_id(config, seed=seed, dataset_sha256=sha256) for seed, sha256 in rows]
        # The key has the content of a data set of the user's own and not its path.
        found = [record for record in self.get(keys).values() if record.config["dataset"] == config.dataset]
        checksums = {record.dataset_sha256 for record in found}
        if len(checksums) > 1:
            raise StoreError(f"store: expected records of one data set, got checksums {sorted(checksums)}")
        return found

    def matching(self, prefix: str) -> list[str]:
        """Return the keys of records and trials that begin with ``prefix``, at most ten of them."""
        query = (
            "SELECT run_id FROM runs WHERE substr(run_id, 1, ?) = ? "
            "UNION SELECT run_id FROM trials WHERE substr(run_id, 1, ?) = ? LIMIT 10"
        )
        return [key for (key,) in self.connection.rows(query, *(len(prefix), prefix) * 2)]

    def count(self) -> int:
        """Return how many trials are stored."""
        return int(self.connection.rows("SELECT count(*) FROM runs")[0][0])

    def _record(self, key: str, text: str) -> RunRecord:
        rows = self.connection.rows("SELECT name, data FROM series WHERE run_id = ? ORDER BY name", key)
        try:
            return record_from(key, text, rows)
        except ValueError as error:
            raise damaged(self.path, f"the record {key}: {error}") from None

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            if not isinstance(error, Exception):  # also after an interrupt, which keeps what is stored
                self.connection.check_in_place()
        finally:
            self.close()
        if isinstance(error, _OF_DAMAGE) and not isinstance(error, InputError):
            self._explain(error)

    def _explain(self, error: Exception) -> None:
        """Find out whether what went wrong with the content of this store is due to damage."""
        from subtx_toy.store.maintenance import faults

        with contextlib.suppress(sqlite3.Error, OSError):
            if found := faults(self.path):
                raise damaged(self.path, found[0]) from error


_FIELDS = tuple(field.name for field in fields(RunRecord) if field.name != "series")


def _insert(connection: sqlite3.Connection, record: RunRecord) -> bool:
    content = {name: getattr(record, name) for name in _FIELDS}  # asdict copies every number
    now = time.time()
    row = (record.run_id, record.results_version, record.seed, record.config["dataset"], json.dumps(content), now)
    inserted = bool(connection.execute("INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?)", row).rowcount)
    if inserted:
        blobs = [(record.run_id, name, curve_bytes(values)) for name, values in record.series.items()]
        connection.executemany("INSERT OR REPLACE INTO series VALUES (?, ?, ?)", blobs)
        index_result(connection, record.run_id, content)
    done = "UPDATE trials SET state = 'done', owner = NULL, error = NULL, changed_at = ? WHERE run_id = ?"
    connection.execute(done, (now, record.run_id))
    return inserted


takes_store = checked(
    store=instance(
        Store, "an open Store", lambda value: f"; write Store({str(value)!r})" if isinstance(value, str | Path) else ""
    )
)
"""Decorates functions of a store: a path in its place is refused."""
