"""Several databases into one, and the records that leave one: all of it or nothing, and no value is replaced."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from subtx_toy.errors import InputError, StoreError
from subtx_toy.files.atomic import is_same_file
from subtx_toy.store.inspection import damaged, is_results
from subtx_toy.store.record import RunRecord
from subtx_toy.store.records import Store, takes_store
from subtx_toy.store.schema import index_result
from subtx_toy.store.stored_text import record_from

_SHOWN = 5  # conflicts in one message


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes:
        added: records that are new in the target, by source.
        equal: records that were there already, with the same values, by source.
        failed: failed trials taken over, by source: those that the target knows nothing of.
    """

    added: dict[str, int]
    equal: dict[str, int]
    failed: dict[str, int]

    def document(self) -> dict[str, object]:
        """Return the same as JSON values, with the totals."""
        totals = {name: sum(value.values()) for name, value in asdict(self).items()}
        return {**totals, "sources": {name: {key: asdict(self)[key][name] for key in totals} for name in self.added}}


class _Taken(NamedTuple):
    """Of one source: the keys to copy, and how many others have equal values already."""

    path: Path
    keys: list[str]
    equal: int


@takes_store
def merge(store: Store, sources: Sequence[Path], *, only: Collection[str] | None = None) -> Merged:
    """Copy the records of other databases into ``store``, bit by bit, in one transaction.

    Args:
        store: an open one; its own records stay as they are.
        sources: other results databases; they are only read, also while a sweep writes them.
        only: the keys that are copied; None for all of them.

    Raises:
        InputError: if records of equal key differ in settings, seed, data, version, metrics or curves; the first keys
            are named, and nothing is written. Times, memory and versions of libraries may differ.
        StoreError: if a source is none, is damaged, or is the target itself, or the target cannot be written.
    """
    for path in sources:
        if is_same_file(path, store.path):
            raise StoreError(f"store: expected other databases to merge into {store.path}, got it as a source too")
    chosen = None if only is None else set(only)
    return _write(store, _compared(store, sources, chosen), chosen)


def merge_into(path: Path, sources: Sequence[Path]) -> Merged:
    """Merge other databases into that at ``path`` as ``merge`` does; a new one is made only when they agree."""
    compared = None if is_results(path) else _compared(None, sources, None)
    with Store(path) as store:
        if compared is None or store.count():  # another process has written there in the meantime
            return merge(store, sources)
        return _write(store, compared, None)


def _compared(target: Store | None, sources: Sequence[Path], chosen: Collection[str] | None) -> list[_Taken]:
    known: dict[str, bytes] = {}
    taken = []
    for path in sources:
        with Store(path, read_only=True) as source:
            taken.append(_Taken(path, *_new(source, target, known, chosen)))
    return taken


def _write(store: Store, taken: Sequence[_Taken], chosen: Collection[str] | None) -> Merged:
    names = [str(path) for path, _, _ in taken]
    failed = dict.fromkeys(names, 0)
    with store.connection.transaction() as connection:
        for path, keys, _equal in taken:
            with Store(path, read_only=True) as source:
                for key in keys:
                    _copy(connection, source, key)
                failed[str(path)] = _copy_failed(connection, source, chosen)
    added = {str(path): len(keys) for path, keys, _ in taken}
    return Merged(added, {str(path): equal for path, _, equal in taken}, failed)


def _new(
    source: Store, target: Store | None, known: dict[str, bytes], chosen: Collection[str] | None
) -> tuple[list[str], int]:
    """Return the keys of a source that are in no earlier one, and how many others have equal values there."""
    new, equal, conflicts = [], 0, []
    for record in _records(source, chosen):
        digest = _digest(record)
        if record.run_id not in known:
            there = None if target is None else target.get([record.run_id]).get(record.run_id)
            if there is None:
                known[record.run_id] = digest
                new.append(record.run_id)
                continue
            known[record.run_id] = _digest(there)
        if known[record.run_id] == digest:
            equal += 1
        else:
            conflicts.append(record.run_id)
    if conflicts:
        more = f" and {len(conflicts) - _SHOWN} more" if len(conflicts) > _SHOWN else ""
        raise InputError(
            f"store: expected equal values of equal keys, got others in {source.path} for "
            f"{', '.join(conflicts[:_SHOWN])}{more}; nothing was merged"
        )
    return new, equal


def _records(source: Store, chosen: Collection[str] | None) -> Iterator[RunRecord]:
    keys = [key for (key,) in source.connection.rows("SELECT run_id FROM runs ORDER BY rowid")]
    for key in keys:
        if chosen is None or key in chosen:
            yield from source.get([key]).values()


def _digest(record: RunRecord) -> bytes:
    """Return a checksum of what the same configuration and seed have to give again: every bit of every value."""
    metrics = {name: "nan" if math.isnan(value) else float(value).hex() for name, value in record.metrics.items()}
    curves = {name: [float(value).hex() for value in values] for name, values in record.series.items()}
    content = [record.config, record.seed, record.dataset_sha256, record.results_version, metrics, curves]
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).digest()


def _copy(connection: sqlite3.Connection, source: Store, key: str) -> None:
    columns = "run_id, results_version, seed, dataset, record, finished_at"
    for row in source.connection.rows(f"SELECT {columns} FROM runs WHERE run_id = ?", key):
        connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)
        curves = source.connection.rows("SELECT run_id, name, data FROM series WHERE run_id = ?", key)
        connection.executemany("INSERT INTO series VALUES (?, ?, ?)", curves)
        try:
            index_result(connection, key, asdict(record_from(key, row[4], [])))
        except ValueError as error:
            raise damaged(source.path, f"the record {key}: {error}") from None
        connection.execute("UPDATE trials SET state = 'done', owner = NULL, error = NULL WHERE run_id = ?", (key,))
        planned = source.connection.rows("SELECT * FROM trials WHERE run_id = ? AND state = 'done'", key)
        connection.executemany("INSERT OR IGNORE INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?)", planned)


def _copy_failed(connection: sqlite3.Connection, source: Store, chosen: Collection[str] | None) -> int:
    num = 0
    for row in source.connection.rows("SELECT * FROM trials WHERE state = 'failed'"):
        if chosen is None or row[0] in chosen:
            there = connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (row[0],)).fetchone()
            insert = "INSERT OR IGNORE INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            num += 0 if there else connection.execute(insert, row).rowcount
    return num


@takes_store
def remove(store: Store, run_ids: Collection[str]) -> int:
    """Remove records, failed and pending trials by key, in one transaction; return how many were there.

    The space is used again by later records. What a coordinator runs at the moment stays.

    Raises:
        StoreError: if the file cannot be written; then nothing is removed.
    """
    num = 0
    with store.connection.transaction() as connection:
        for key in run_ids:
            found = [
                connection.execute(f"DELETE FROM {table} WHERE run_id = ?{but}", (key,)).rowcount
                for table, but in (("series", ""), ("results", ""), ("runs", ""), ("trials", " AND state != 'running'"))
            ]
            num += bool(found[2] or found[3])
        connection.execute("DELETE FROM configs WHERE id NOT IN (SELECT config_id FROM results)")
    return num
