"""The results database: one SQLite file, one row a finished trial, found again by its content key.

The journal is a write-ahead log, so readers and a writer do not wait for each other, and every record is one
transaction: after a crash or ``kill -9`` a trial is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

import numpy as np
import platformdirs

from subtx_toy.config import RESULTS_VERSION, Settings, run_id
from subtx_toy.errors import StoreError
from subtx_toy.record import SCHEMA_VERSION, RunRecord

_BUSY_SECONDS = 30.0  # how long a writer waits for another one; a record is written in milliseconds
_NETWORK_FILE_SYSTEMS = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "lustre",
        "gpfs",
        "beegfs",
        "pvfs2",
        "fuse.sshfs",
        "fuse.glusterfs",
    ]
)
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY,
    results_version INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    record TEXT NOT NULL,      -- JSON, everything but the series
    finished_at REAL NOT NULL  -- seconds since 1970; for people, never part of a key
) STRICT;
CREATE TABLE IF NOT EXISTS series (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    name TEXT NOT NULL,
    data BLOB NOT NULL,        -- float32, little-endian
    PRIMARY KEY (run_id, name)
) STRICT;
"""


def default_path() -> Path:
    """Return where results are kept: SUBTX_TOY_STORE, else a file in the user's data folder."""
    named = os.environ.get("SUBTX_TOY_STORE")
    return Path(named).expanduser() if named else platformdirs.user_data_path("subtx-toy") / "results.sqlite"


class Store:
    """An open results database; use it in a ``with`` statement.

    Args:
        path: the file, made with its folder when it does not exist.

    Raises:
        StoreError: if the file cannot be made or written, is no results database, was written by a later version of
            the package, or lies on a network file system, where SQLite's locks do not hold.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"store: cannot make the folder {path.parent}: {error.strerror}") from None
        kind = _file_system(path.parent)
        if kind in _NETWORK_FILE_SYSTEMS:
            raise StoreError(f"store: expected a local disk, got {path} on a network file system ({kind})")
        with self._explained():
            # Autocommit: transactions are opened where they are needed, by name.
            self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            with self._explained():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        self._use_write_ahead_log()
        execute("PRAGMA foreign_keys = ON")
        with self._transaction():  # also shows at once whether the file can be written
            found = execute("PRAGMA user_version").fetchone()[0]
            tables = {row[0] for row in execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            if found > SCHEMA_VERSION:
                raise StoreError(
                    f"store: expected schema version {SCHEMA_VERSION} or lower, got {found} in {self.path}; "
                    "it was written by a later version of subtx-toy"
                )
            if tables and "runs" not in tables:
                raise StoreError(f"store: expected a results database, got another SQLite file, {self.path}")
            for statement in _TABLES.strip().rstrip(";").split(";\n"):
                execute(statement)
            execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _use_write_ahead_log(self) -> None:
        # SQLite does not wait when two processes change the journal of a new file at once: it says "locked".
        deadline = time.monotonic() + _BUSY_SECONDS
        while self._connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def add(self, record: RunRecord) -> bool:
        """Write one finished trial; return whether it was new. A trial that is there already is left as it is.

        Raises:
            StoreError: if it cannot be written, for example on a full disk; then nothing of it is.
        """
        content = asdict(record)
        series = content.pop("series")
        with self._explained(), self._transaction():
            inserted = self._connection.execute(
                "INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
                (
                    record.run_id,
                    record.results_version,
                    record.seed,
                    record.config["dataset"],
                    json.dumps(content),
                    time.time(),
                ),
            ).rowcount
            if inserted:
                self._connection.executemany(
                    "INSERT INTO series VALUES (?, ?, ?)",
                    [(record.run_id, name, np.asarray(values, "<f4").tobytes()) for name, values in series.items()],
                )
        return bool(inserted)

    def get(self, run_ids: Sequence[str]) -> dict[str, RunRecord]:
        """Return the records there are of these keys.

        Raises:
            StoreError: if the file cannot be read.
        """
        found = {}
        with self._explained():
            for key in run_ids:  # by primary key, 10 microseconds each
                row = self._connection.execute("SELECT record FROM runs WHERE run_id = ?", (key,)).fetchone()
                if row is not None:
                    found[key] = self._record(key, row[0])
        return found

    def find(self, config: Settings) -> list[RunRecord]:
        """Return the records of one configuration, made by this RESULTS_VERSION, in the order of their seeds.

        Raises:
            StoreError: if the file cannot be read, or the records come from data of different checksums.
        """
        found = []
        with self._explained():
            query = "SELECT run_id, record FROM runs WHERE dataset = ? AND results_version = ? ORDER BY seed"
            for key, text in self._connection.execute(query, (config.dataset, RESULTS_VERSION)).fetchall():
                record = self._record(key, text)
                # By the key and not by the stored fields, which lack those that the configuration has got since.
                if key == run_id(config, seed=record.seed, dataset_sha256=record.dataset_sha256):
                    found.append(record)
        checksums = {record.dataset_sha256 for record in found}
        if len(checksums) > 1:
            raise StoreError(f"store: expected records of one data set, got checksums {sorted(checksums)}")
        return found

    def count(self) -> int:
        """Return how many trials are stored."""
        with self._explained():
            return int(self._connection.execute("SELECT count(*) FROM runs").fetchone()[0])

    def _record(self, key: str, text: str) -> RunRecord:
        try:
            return RunRecord(**json.loads(text), series=self._series(key))
        except (ValueError, TypeError) as error:
            raise StoreError(f"store: the record {key} in {self.path} is damaged: {error}") from None

    def _series(self, key: str) -> dict[str, list[float]]:
        rows = self._connection.execute("SELECT name, data FROM series WHERE run_id = ? ORDER BY name", (key,))
        return {name: np.frombuffer(data, "<f4").tolist() for name, data in rows}

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has rolled back by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"store: cannot use {self.path}: {error}") from None


def _file_system(folder: Path) -> str:
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
