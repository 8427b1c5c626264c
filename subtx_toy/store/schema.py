"""The tables, and how a database of an earlier schema gets the missing ones.

``runs`` and ``series`` hold the records and are those of schema 1, unchanged, so that a process of the earlier version
that has the file open goes on writing. Everything else is made from them or concerns trials that are not finished.
"""

from __future__ import annotations

import json
import sqlite3
import uuid

STORE_SCHEMA = 2
"""Of the database. 1: finished trials. 2: the states of trials, and an index of results for summaries."""

TABLES_OF_SCHEMA_1 = ("runs", "series")

APPLICATION = 0x5354
"""High half of the application id in the file's header, which marks it as ours; the low half tells stores apart."""

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
CREATE TABLE IF NOT EXISTS configs (
    id INTEGER PRIMARY KEY,
    config TEXT NOT NULL UNIQUE  -- JSON, as in the records
) STRICT;
CREATE TABLE IF NOT EXISTS results (
    run_id TEXT PRIMARY KEY REFERENCES runs (run_id),
    config_id INTEGER NOT NULL REFERENCES configs (id),
    seed INTEGER NOT NULL,
    results_version INTEGER NOT NULL,
    dataset_sha256 TEXT NOT NULL,
    cpu_seconds REAL NOT NULL,
    metrics TEXT NOT NULL      -- JSON, as in the record: a summary reads these and not the long records
) STRICT;
CREATE TABLE IF NOT EXISTS trials (
    run_id TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done', 'failed')),
    experiment TEXT NOT NULL,
    seed INTEGER NOT NULL,
    config TEXT NOT NULL,      -- JSON of the settings that are not at their default
    owner TEXT,                -- the coordinator that runs it
    error TEXT,                -- traceback of a failed trial
    changed_at REAL NOT NULL   -- seconds since 1970
) STRICT;
CREATE INDEX IF NOT EXISTS trials_by_state ON trials (state, owner);
CREATE TABLE IF NOT EXISTS coordinators (
    owner TEXT PRIMARY KEY,
    machine TEXT NOT NULL,     -- boot and process namespace; where it is the reader's own, the process can be looked up
    pid INTEGER NOT NULL,
    started TEXT NOT NULL,     -- start time of the process: a number can be given to another process
    heartbeat REAL NOT NULL    -- seconds since 1970
) STRICT;
"""


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables that a database lacks."""
    for statement in _TABLES.strip().rstrip(";").split(";\n"):
        connection.execute(statement)


def prepare(connection: sqlite3.Connection) -> None:
    """Bring a database that is ours, or new, to the present schema, inside the caller's transaction."""
    execute = connection.execute
    if execute("PRAGMA user_version").fetchone()[0] < STORE_SCHEMA:
        make_tables(connection)
    execute(f"PRAGMA user_version = {STORE_SCHEMA}")  # always, to find out whether the file can be written
    if not execute("PRAGMA application_id").fetchone()[0]:
        execute(f"PRAGMA application_id = {APPLICATION << 16 | uuid.uuid4().int & 0xFFFF}")
    if unindexed(connection):
        missing = "SELECT runs.run_id, record FROM runs LEFT JOIN results USING (run_id) WHERE results.run_id IS NULL"
        for run_id, record in execute(missing).fetchall():
            try:
                index_result(connection, run_id, json.loads(record))
            except (ValueError, TypeError, KeyError):  # damaged: reading it reports this
                continue


def unindexed(connection: sqlite3.Connection) -> int:
    """Return how many records are not indexed: those of an earlier version, and damaged ones."""
    counts = "SELECT max(0, (SELECT count(*) FROM runs) - (SELECT count(*) FROM results))"
    return int(connection.execute(counts).fetchone()[0])


def index_result(connection: sqlite3.Connection, run_id: str, content: dict[str, object]) -> None:
    """Enter what summaries need of one record, given as the dictionary of its fields."""
    config, metrics = json.dumps(content["config"]), json.dumps(content["metrics"])
    numbers = [content[name] for name in ("seed", "results_version", "dataset_sha256", "cpu_seconds")]
    known = connection.execute("SELECT id FROM configs WHERE config = ?", (config,)).fetchone()
    number = known[0] if known else connection.execute("INSERT INTO configs (config) VALUES (?)", (config,)).lastrowid
    connection.execute(
        "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, ?)", (run_id, number, *numbers, metrics)
    )
