"""One open SQLite connection: where the database may lie, transactions by name, and errors in words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

from subtx_toy.errors import StoreError
from subtx_toy.store.schema import prepare, unindexed

_NETWORK_FILE_SYSTEMS = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "pvfs2",
    "fuse.sshfs", "fuse.glusterfs",
)  # fmt: skip


def default_path() -> Path:
    """Return where results are kept: SUBTX_TOY_STORE, else a file in the user's data folder."""
    named = os.environ.get("SUBTX_TOY_STORE")
    return Path(named).expanduser() if named else platformdirs.user_data_path("subtx-toy") / "results.sqlite"


def prepare_folder(path: Path) -> None:
    """Make the folder of the database ``path``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"store: cannot make the folder {path.parent}: {error.strerror}") from None
    kind = file_system(path.parent)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise StoreError(f"store: expected a local disk, got {path} on a network file system ({kind})")


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds ``folder``, as Linux names it; empty where that is unknown."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    resolved, best = folder.resolve(), ("", "")
    for line in mounts:
        _device, point, kind, *_rest = line.split()
        point = point.replace("\\040", " ")  # how the kernel writes a space
        if resolved.is_relative_to(point) and len(point) >= len(best[0]):
            best = point, kind
    return best[1]


BUSY_SECONDS = 30.0  # how long a writer waits for another one; a record is written in milliseconds


class Connection:
    """A connection to the database ``path``, which it makes or brings to the present schema."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.explained():
            # Autocommit: transactions are opened where they are needed, by name.
            self.sqlite = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            with self.explained():
                self._use_write_ahead_log()
                self.sqlite.execute("PRAGMA foreign_keys = ON")
                with self.transaction():  # also shows at once whether the file can be written
                    prepare(self.sqlite, str(path))
        except BaseException:
            self.sqlite.close()
            raise

    def catch_up(self) -> None:
        """Index the records that a process of an earlier version has written in the meantime."""
        with self.explained():
            if unindexed(self.sqlite):
                with self.transaction():
                    prepare(self.sqlite, str(self.path))

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return every row that a query finds, with ``values`` for its question marks."""
        with self.explained():
            return self.sqlite.execute(query, values).fetchall()

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
        with self.explained():
            self.sqlite.execute("BEGIN IMMEDIATE")
            try:
                yield self.sqlite
                self.sqlite.execute("COMMIT")
            except BaseException:
                if self.sqlite.in_transaction:  # on a full disk SQLite has rolled back by itself
                    self.sqlite.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"store: cannot use {self.path}: {error}") from None
