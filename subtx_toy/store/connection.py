"""One open SQLite connection: transactions by name, errors in words, and a file that has to stay where it is."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from subtx_toy.errors import StoreError, StoreLostError
from subtx_toy.store import identity
from subtx_toy.store.inspection import check_contents, explained, is_results, unwritable
from subtx_toy.store.place import can_write, prepare_folder
from subtx_toy.store.presence import Presence
from subtx_toy.store.reading import Reading
from subtx_toy.store.schema import prepare, unindexed

BUSY_SECONDS = 30.0  # how long a writer waits for another one; a record is written in milliseconds
_CACHE_KIB = 65_536  # of pages, taken as they are read: keys are random, so a million of them need their whole index


class Connection:
    """A connection to the database ``path``.

    Args:
        path: the file; made with its folder, or brought to the present schema, unless ``read_only``.
        read_only: read a database that exists, also one that this process may not write.
        rescue: called when the file was taken away, with whether its content can still be read; saves that and what is
            in memory, and returns where, in words.

    Raises:
        StoreError: if the file is no results database, is damaged, or cannot be used; then it is left as it is.
    """

    def __init__(self, path: Path, *, read_only: bool = False, rescue: Callable[[bool], str] | None = None) -> None:
        self.path = path
        self._rescue, self._lost = rescue, ""
        self._presence: Presence | None = None
        self._reading: Reading | None = None
        if read_only:
            self._reading = Reading(path, lambda: Connection(path).close(), timeout=BUSY_SECONDS)
            self.sqlite = self._reading.sqlite
            self.sqlite.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        else:
            self._open()

    def _open(self) -> None:
        prepare_folder(self.path)
        if is_results(self.path) and not can_write(self.path):
            raise unwritable(self.path)
        with self.explained():
            # Autocommit: transactions are opened where they are needed, by name.
            self.sqlite = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            with self.explained():
                self.sqlite.execute("PRAGMA foreign_keys = ON")
                self.sqlite.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                with self.transaction():  # also shows at once whether the file can be written
                    check_contents(self.sqlite, self.path)
                    prepare(self.sqlite)
                self._use_write_ahead_log()
                application_id = self.sqlite.execute("PRAGMA application_id").fetchone()[0]
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            self._presence = Presence(self.path, descriptor, application_id)
            identity.opened(self._presence.identity, descriptor)
        except BaseException:
            self.sqlite.close()
            raise

    def close(self) -> None:
        """Close the database; where its path now leads to another one, so that nothing of that is touched."""
        if self._reading is not None:
            self._reading.close()
            return
        presence, self._presence = self._presence, None
        gone = presence is not None and bool(presence.fault())
        if presence is not None and gone and (presence.is_overwritten() or presence.is_taken()):
            # Closing would write the log into that file, or remove its log. The end of the process does not.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.sqlite))
        else:
            self.sqlite.close()
            identity.closed(None if presence is None else presence.identity)
        if presence is not None and gone:
            for file in presence.left_behind():  # SQLite would take them for those of the next file of this name
                file.unlink(missing_ok=True)

    def check_in_place(self) -> None:
        """Find out whether the file at the path is still the one that is open.

        Raises:
            StoreLostError: if it is not; what was in it is then in another file, which the message names.
        """
        if self._lost:
            raise StoreLostError(self._lost)
        if self._presence is None or not (fault := self._presence.fault()):
            return
        self._lost = f"store: {self.path}: {fault}"
        if self._rescue is not None:
            self._lost += f"; {self._rescue(not self._presence.is_overwritten())}"
        raise StoreLostError(self._lost)

    def catch_up(self) -> None:
        """Index the records that a process of an earlier version has written in the meantime."""
        if self._reading is not None:
            self._reading.catch_up()
            return
        with self.explained():
            if unindexed(self.sqlite):
                with self.transaction():
                    prepare(self.sqlite)

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return every row that a query finds, with ``values`` for its question marks."""
        return list(self.each(query, *values))

    def each(self, query: str, *values: object) -> Iterator[Any]:
        """Yield the rows that a query finds, one after another."""
        with self.explained():
            yield from self.sqlite.execute(query, values)
        if self._reading is not None:
            self._reading.check_unchanged()

    def _use_write_ahead_log(self) -> None:
        # SQLite does not wait when two processes change the journal of a new file at once: it says "locked".
        deadline = time.monotonic() + BUSY_SECONDS
        while self.sqlite.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                self.sqlite.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do everything in the block, or nothing; no other process writes in the meantime."""
        if self._reading is not None:
            raise unwritable(self.path)
        self.check_in_place()
        try:
            with self.explained():
                self.sqlite.execute("BEGIN IMMEDIATE")
                try:
                    yield self.sqlite
                    self.sqlite.execute("COMMIT")
                except BaseException:
                    if self.sqlite.in_transaction:  # on a full disk SQLite has rolled back by itself
                        self.sqlite.execute("ROLLBACK")
                    raise
        except StoreError:
            self.check_in_place()  # a file that is gone explains whatever SQLite says
            raise

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        with explained(self.path):
            yield
