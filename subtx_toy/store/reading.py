"""A database opened to be read: one's own while others write it, or one that this process must not change."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from subtx_toy.errors import StoreError
from subtx_toy.store import identity
from subtx_toy.store.inspection import check_contents, explained, is_results, uri
from subtx_toy.store.place import beside, can_write, check_local, status
from subtx_toy.store.schema import STORE_SCHEMA, prepare, unindexed


class Reading:
    """An open connection to a database that exists, which nothing is written through.

    Where this process may write the file, SQLite shares it with its writers. Elsewhere nothing can be written next to
    the file, which SQLite would do, so it is read as it stands; if a log belongs to it, or it has to be brought to the
    present schema first, a private copy is read.

    Args:
        path: the file.
        bring_up_to_date: writes the present schema to a file that this process may write.
        timeout: seconds to wait for a writer.
    """

    def __init__(self, path: Path, bring_up_to_date: Callable[[], None], *, timeout: float) -> None:
        self._path, self._bring_up_to_date, self._timeout = path, bring_up_to_date, timeout
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._opened: list[sqlite3.Connection] = []
        self._before: tuple[int, int] | None = None  # of a file whose locks are not used
        if status(path) is None:
            raise StoreError(f"store: expected a results database, got none at {path}")
        check_local(path)
        if not is_results(path):
            raise StoreError(f"store: expected a results database, got an empty file, {path}")
        self._writable, self._identity = can_write(path), identity.of(path)
        identity.opened(self._identity)
        try:
            with explained(path):
                self.sqlite = self._open()
                check_contents(self.sqlite, path)
                if self._is_behind():
                    self.sqlite = self._up_to_date()
        except BaseException:
            self.close()
            raise

    def _open(self) -> sqlite3.Connection:
        logs = [beside(self._path, ending).exists() for ending in ("-wal", "-shm")]
        if self._writable and not all(logs):
            return self._connect(self._path, "rw")  # SQLite makes a log for a reader, and removes it again
        if all(logs):
            with contextlib.suppress(sqlite3.OperationalError):
                return self._connect(self._path, "ro")
        if any(logs):
            return self._connect(self._copy(), "rw")
        found = self._path.stat()
        self._before = found.st_mtime_ns, found.st_size
        return self._connect(self._path, "ro&immutable=1")

    def _connect(self, path: Path, mode: str) -> sqlite3.Connection:
        made = sqlite3.connect(uri(path, f"mode={mode}"), uri=True, timeout=self._timeout, isolation_level=None)
        self._opened.append(made)
        made.execute("SELECT count(*) FROM sqlite_schema")
        return made

    def _is_behind(self) -> bool:
        version = self.sqlite.execute("PRAGMA user_version").fetchone()[0]
        return bool(version < STORE_SCHEMA or unindexed(self.sqlite))

    def _up_to_date(self) -> sqlite3.Connection:
        if self._writable:
            self._bring_up_to_date()
            return self.sqlite
        if self._folder is None:
            with contextlib.closing(self._connect(self._private(), "rwc")) as copy:
                self.sqlite.backup(copy)
            self.sqlite.close()
            self.check_unchanged()
            self._before = None
            self.sqlite = self._connect(self._private(), "rw")
        self.sqlite.execute("BEGIN")
        prepare(self.sqlite)
        self.sqlite.execute("COMMIT")
        return self.sqlite

    def _private(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="subtx-toy-")
        return Path(self._folder.name) / self._path.name

    def _copy(self) -> Path:
        copy = self._private()
        for ending in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(beside(self._path, ending), copy.with_name(copy.name + ending))
        return copy

    def catch_up(self) -> None:
        """Index the records that a process of an earlier version has written in the meantime, where that can be."""
        if self._writable:
            with explained(self._path):
                if unindexed(self.sqlite):
                    self._bring_up_to_date()

    def check_unchanged(self) -> None:
        """Refuse what was read from a file that somebody wrote at the same time.

        Raises:
            StoreError: if that happened.
        """
        if self._before is None:
            return
        found = status(self._path)
        if found is None or (found.st_mtime_ns, found.st_size) != self._before:
            raise StoreError(f"store: {self._path} was written while it was read; run the same command again")

    def close(self) -> None:
        """Close the file, and remove a private copy."""
        for connection in self._opened:
            connection.close()
        identity.closed(self._identity)
        if self._folder is not None:
            self._folder.cleanup()
