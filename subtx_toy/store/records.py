"""Finished trials: one row each, found again by its content key."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

import numpy as np

from subtx_toy.errors import StoreError
from subtx_toy.settings.arguments import checked, instance
from subtx_toy.settings.base import RESULTS_VERSION, Settings, run_id
from subtx_toy.store.connection import Connection
from subtx_toy.store.place import prepare_folder
from subtx_toy.store.record import RunRecord
from subtx_toy.store.schema import index_result


@checked(path=instance(str | Path, "the path of a results database"))
class Store:
    """An open results database; use it in a ``with`` statement.

    Args:
        path: the file, made with its folder when it does not exist, and brought to the present schema when it is older.

    Raises:
        StoreError: if the file cannot be made or written, is no results database, was written by a later version of
            the package, or lies on a network file system, where SQLite's locks do not hold.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        prepare_folder(self.path)
        self.connection = Connection(self.path)

    def add(self, record: RunRecord) -> bool:
        """Write one finished trial; return whether it was new. A trial that is there already is left as it is.

        Raises:
            StoreError: if it cannot be written, for example on a full disk; then nothing of it is.
        """
        return bool(self.add_all([record]))

    def add_all(self, records: Iterable[RunRecord]) -> int:
        """Write finished trials in one transaction, as ``add``; return how many were new."""
        with self.connection.explained(), self.connection.transaction():
            return sum([self._insert(record) for record in records])

    def _insert(self, record: RunRecord) -> bool:
        content = asdict(record)
        series = content.pop("series")
        execute, now = self.connection.sqlite.execute, time.time()
        row = (record.run_id, record.results_version, record.seed, record.config["dataset"], json.dumps(content), now)
        inserted = bool(execute("INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?)", row).rowcount)
        if inserted:
            self.connection.sqlite.executemany(
                "INSERT INTO series VALUES (?, ?, ?)",
                [(record.run_id, name, np.asarray(values, "<f4").tobytes()) for name, values in series.items()],
            )
            index_result(self.connection.sqlite, record.run_id, content)
        done = "UPDATE trials SET state = 'done', owner = NULL, error = NULL, changed_at = ? WHERE run_id = ?"
        execute(done, (now, record.run_id))
        return inserted

    def get(self, run_ids: Sequence[str]) -> dict[str, RunRecord]:
        """Return the records there are of these keys.

        Raises:
            StoreError: if the file cannot be read.
        """
        found = {}
        with self.connection.explained():
            for key in run_ids:  # by primary key, 10 microseconds each
                row = self.connection.sqlite.execute("SELECT record FROM runs WHERE run_id = ?", (key,)).fetchone()
                if row is not None:
                    found[key] = self._record(key, row[0])
        return found

    def stored(self, run_ids: Sequence[str]) -> set[str]:
        """Return those of the keys that have a record, without reading it.

        Raises:
            StoreError: if the file cannot be read.
        """
        query = "SELECT run_id FROM runs WHERE run_id IN (SELECT value FROM json_each(?))"
        with self.connection.explained():
            return {row[0] for row in self.connection.sqlite.execute(query, (json.dumps(list(run_ids)),))}

    def find(self, config: Settings) -> list[RunRecord]:
        """Return the records of one configuration, made by this RESULTS_VERSION, in the order of their seeds.

        Raises:
            StoreError: if the file cannot be read, or the records come from data of different checksums.
        """
        self.connection.catch_up()
        query = "SELECT DISTINCT seed, dataset_sha256 FROM results WHERE results_version = ? ORDER BY seed"
        with self.connection.explained():
            rows = self.connection.sqlite.execute(query, (RESULTS_VERSION,)).fetchall()
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
        with self.connection.explained():
            return [row[0] for row in self.connection.sqlite.execute(query, (len(prefix), prefix) * 2)]

    def count(self) -> int:
        """Return how many trials are stored."""
        with self.connection.explained():
            return int(self.connection.sqlite.execute("SELECT count(*) FROM runs").fetchone()[0])

    def all_records(self) -> Iterator[RunRecord]:
        """Yield every record, in the order of their keys.

        Raises:
            StoreError: if the file cannot be read, or a record is damaged.
        """
        with self.connection.explained():
            for key, text in self.connection.sqlite.execute("SELECT run_id, record FROM runs ORDER BY run_id"):
                yield self._record(key, text)

    def _record(self, key: str, text: str) -> RunRecord:
        try:
            return RunRecord(**json.loads(text), series=self._series(key))
        except (ValueError, TypeError) as error:
            raise StoreError(f"store: the record {key} in {self.path} is damaged: {error}") from None

    def _series(self, key: str) -> dict[str, list[float]]:
        query = "SELECT name, data FROM series WHERE run_id = ? ORDER BY name"
        rows = self.connection.sqlite.execute(query, (key,))
        return {name: np.frombuffer(data, "<f4").tolist() for name, data in rows}

    def close(self) -> None:
        """Close the file."""
        self.connection.sqlite.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


takes_store = checked(
    store=instance(
        Store,
        "an open Store",
        lambda value: f"; write Store({str(value)!r})" if isinstance(value, str | Path) else "",
    )
)
"""Decorates functions of a store: a path in its place is refused."""
