"""Copies of a database, and whether one is sound; neither changes it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from subtx_toy.errors import InputError, StoreError
from subtx_toy.store.inspection import is_results, pending
from subtx_toy.store.place import beside, file_path, prepare_folder, status
from subtx_toy.store.record import RunRecord
from subtx_toy.store.records import Store
from subtx_toy.store.results import config_costs, results, stored_by_config, trials_by_state
from subtx_toy.store.stored_text import record_from, table_from

_MAX_FAULTS = 10  # reported of one kind


def backup(path: Path, target: Path) -> None:
    """Copy a database, while others may read and write it; the copy is whole or not there at all.

    Raises:
        StoreError: if there is no results database at ``path``, or the copy cannot be made.
    """
    target = beside(file_path(target), "")
    with contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(Store(path, read_only=True)).connection.sqlite
        except StoreError as error:
            raise StoreError(f"store: cannot copy {path} to {target}: {str(error).removeprefix('store: ')}") from None
        prepare_folder(target)
        try:
            if status(target) is not None and target.samefile(path):  # whoever has it open would write to no file
                raise StoreError(f"store: expected another file to copy {path} to, got the same one, {target}")
            _check_replaceable(target)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
                temporary = Path(folder) / target.name
                with contextlib.closing(sqlite3.connect(temporary)) as copy:
                    source.backup(copy)
                    copy.execute("PRAGMA journal_mode = DELETE")  # one file, nothing next to it
                temporary.replace(target)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"store: cannot copy {path} to {target}: {error}") from None


def _check_replaceable(target: Path) -> None:
    """Refuse to put a copy in the place of anything but another results database, or an empty file.

    Raises:
        StoreError: if there is another file of that name.
    """
    try:
        is_results(target)
    except StoreError as error:
        reason = str(error).removeprefix("store: ").partition("; to check all of it")[0]
        raise StoreError(f"store: expected a new file for the copy, or another results database: {reason}") from None
    if logs := pending(target):  # which SQLite would write into the copy
        raise StoreError(
            f"store: expected a new file for the copy, got {target}, which is in use: {logs[0]} is next to it"
        )


def faults(path: Path) -> list[str]:
    """Return what is wrong with a database, one sentence per fault; nothing if every command can use it.

    Raises:
        StoreError: if the file cannot be read at all.
    """
    with Store(path, read_only=True) as store:
        found = list(_faults_of_the_file(store))
        return found or list(_faults_of_the_content(store))


def _faults_of_the_file(store: Store) -> Iterator[str]:
    rows = store.connection.rows
    found = [row[0] for row in rows(f"PRAGMA integrity_check({_MAX_FAULTS})")]
    if found != ["ok"]:
        yield from (f"file: {fault}" for fault in found)
        return
    orphans = rows("PRAGMA foreign_key_check")[:_MAX_FAULTS]
    yield from (f"{table}: row {row} belongs to no {parent}" for table, row, parent, _ in orphans)


def _faults_of_the_content(store: Store) -> Iterator[str]:
    rows = store.connection.rows
    lost = (
        "SELECT run_id FROM trials WHERE state = 'done' AND NOT EXISTS "
        "(SELECT 1 FROM runs WHERE runs.run_id = trials.run_id) LIMIT ?"
    )
    yield from (f"trial {row[0]}: done without a record; it runs again" for row in rows(lost, _MAX_FAULTS))
    damaged: list[str] = []
    for read in (_records, _series, _trials, _coordinators, config_costs, results, stored_by_config, trials_by_state):
        with InputError.collected(damaged):
            found = read(store)
            damaged += [fault for fault in found if isinstance(fault, str)]
    prefix = f"store: {store.path} is damaged: the "
    yield from (fault.removeprefix(prefix).partition("; to check all of it")[0] for fault in damaged[:_MAX_FAULTS])
    if len(damaged) > _MAX_FAULTS:
        yield f"records: {len(damaged)} damaged in all"


def _records(store: Store) -> Iterator[str]:
    query = (
        "SELECT runs.run_id, record, runs.seed, runs.results_version, dataset, metrics, config, results.seed, "
        "results.results_version, dataset_sha256, cpu_seconds "
        "FROM runs LEFT JOIN results USING (run_id) LEFT JOIN configs ON configs.id = config_id"
    )
    for key, text, seed, version, dataset, metrics, *indexed in store.connection.each(query):
        try:
            record = record_from(key, text, [])
        except ValueError as error:
            yield f"record {key}: damaged: {error}"
            continue
        own = (record.seed, record.results_version, record.config["dataset"])
        if (seed, version, dataset) != own:
            yield f"record {key}: its seed, version or data set differs from that of its row"
        elif metrics is not None and json.dumps(record.metrics) != metrics:
            yield f"record {key}: its metrics differ from those in the index of results"
        elif metrics is not None and indexed != [
            json.dumps(record.config), *own[:2], record.dataset_sha256, record.cpu_seconds,
        ]:  # fmt: skip
            yield f"record {key}: its settings or its seed differ from those in the index of results"
        yield from _curves(store, record)


def _curves(store: Store, record: RunRecord) -> Iterator[str]:
    """Compare the curves of each arm with the epochs of the settings: a loss of each, an accuracy also before them."""
    rows = store.connection.rows("SELECT name, length(data) / 4 FROM series WHERE run_id = ?", record.run_id)
    lengths = dict(rows)
    for arm in [name.removesuffix(".loss") for name in lengths if name.endswith(".loss")]:
        epochs = record.config.get("teacher_epochs" if arm == "teacher" else "student_epochs")
        if f"{arm}.accuracy" in lengths and type(epochs) is int:
            for name, num in ((f"{arm}.loss", epochs), (f"{arm}.accuracy", epochs + 1)):
                if lengths[name] != num:
                    yield f"record {record.run_id}: its series {name!r} has {lengths[name]} values, expected {num}"


def _series(store: Store) -> Iterator[str]:
    for key, name in store.connection.each("SELECT run_id, name FROM series WHERE length(data) % 4"):
        yield f"record {key}: its series {name!r} is damaged"


def _trials(store: Store) -> Iterator[str]:
    for key, text, *_texts in store.connection.each("SELECT run_id, config, experiment, error, owner FROM trials"):
        try:
            table_from(text)
        except ValueError as error:
            yield f"trial {key}: damaged: {error}"


def _coordinators(store: Store) -> Iterator[str]:
    for row in store.connection.rows("SELECT owner, machine, pid, started, heartbeat FROM coordinators"):
        if tuple(map(type, row)) != (str, str, int, str, float):
            yield f"coordinator {row[0]!r}: damaged"
