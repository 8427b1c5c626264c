"""Copies of a database, and whether one is sound; neither changes it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from subtx_toy.errors import StoreError
from subtx_toy.store.connection import prepare_folder
from subtx_toy.store.record import RunRecord
from subtx_toy.store.schema import STORE_SCHEMA

_MAX_FAULTS = 10  # reported of one kind


def backup(path: Path, target: Path) -> None:
    """Copy a database, while others may read and write it; the copy is whole or not there at all."""
    prepare_folder(target)
    try:
        if target.exists() and path.exists() and target.samefile(path):  # whoever has it open would write to no file
            raise StoreError(f"store: expected another file to copy {path} to, got the same one, {target}")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            temporary = Path(folder) / target.name
            with _opened(path, "mode=ro") as source, _opened(temporary, "mode=rwc") as copy:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, nothing next to it
            temporary.replace(target)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"store: cannot copy {path} to {target}: {error}") from None


def faults(path: Path) -> list[str]:
    """Return what is wrong with a database, one sentence per fault; nothing if it is sound."""
    try:
        with _opened(path, "mode=ro") as connection:
            return list(_faults(connection))
    except sqlite3.Error as error:
        raise StoreError(f"store: cannot read {path}: {error}") from None


def _faults(connection: sqlite3.Connection) -> Iterator[str]:
    execute = connection.execute
    found = [row[0] for row in execute(f"PRAGMA integrity_check({_MAX_FAULTS})")]
    if found != ["ok"]:
        yield from (f"file: {fault}" for fault in found)
        return
    tables = {row[0] for row in execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "runs" not in tables:
        yield "file: expected a results database, got another SQLite file"
        return
    orphans = execute("PRAGMA foreign_key_check").fetchmany(_MAX_FAULTS)
    yield from (f"{table}: row {row} belongs to no {parent}" for table, row, parent, _ in orphans)
    version = execute("PRAGMA user_version").fetchone()[0]
    if version > STORE_SCHEMA:
        yield f"schema: expected {STORE_SCHEMA} or lower, got {version}: written by a later version of subtx-toy"
    damaged = [key for key, text in execute("SELECT run_id, record FROM runs") if not _is_record(text)]
    yield from (f"record {key}: damaged" for key in damaged[:_MAX_FAULTS])
    if len(damaged) > _MAX_FAULTS:
        yield f"records: {len(damaged)} damaged in all"
    if version == STORE_SCHEMA:
        lost = "SELECT run_id FROM trials LEFT JOIN runs USING (run_id) WHERE state = 'done' AND record IS NULL LIMIT ?"
        yield from (f"trial {row[0]}: done without a record" for row in execute(lost, (_MAX_FAULTS,)))


def _is_record(text: str) -> bool:
    try:
        content = json.loads(text)
    except ValueError:
        return False
    # The series are in a table of their own, and a field that is newer than the record has a default.
    return isinstance(content, dict) and content.keys() <= {field.name for field in fields(RunRecord)}


def _opened(path: Path, mode: str) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True))
