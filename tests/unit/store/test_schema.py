"""Databases of schema 1 are opened as they are: no record is lost, and who writes to them goes on writing."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from pathlib import Path

from subtx_toy.settings.base import RESULTS_VERSION, run_id
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store import Store
from subtx_toy.store.record import RunRecord
from subtx_toy.store.results import configs, results
from subtx_toy.store.schema import STORE_SCHEMA
from subtx_toy.store.trials import states

SCHEMA_1 = """
CREATE TABLE runs (run_id TEXT PRIMARY KEY, results_version INTEGER NOT NULL, seed INTEGER NOT NULL,
    dataset TEXT NOT NULL, record TEXT NOT NULL, finished_at REAL NOT NULL) STRICT;
CREATE TABLE series (run_id TEXT NOT NULL REFERENCES runs (run_id), name TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (run_id, name)) STRICT;
PRAGMA user_version = 1;
"""
CONFIG = RunConfig(dataset="glyphs")


def _record(seed: int, config: RunConfig = CONFIG) -> RunRecord:
    return RunRecord(
        run_id=run_id(config, seed=seed, dataset_sha256="f" * 64),
        results_version=RESULTS_VERSION,
        config=config.model_dump(),
        seed=seed,
        dataset_sha256="f" * 64,
        versions={},
        metrics={"student_aux.accuracy": 0.5 + seed},
        wall_seconds=1.0,
        cpu_seconds=1.0,
        training_cpu_seconds=1.0,
        peak_rss_mib=1.0,
    )


def _insert(connection: sqlite3.Connection, record: RunRecord) -> None:
    """What the earlier version does to store a record."""
    content = dataclasses.asdict(record)
    content.pop("series")
    row = (record.run_id, record.results_version, record.seed, "glyphs", json.dumps(content), 0.0)
    with connection:
        connection.execute("INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)


def _old_store(path: Path, records: list[RunRecord]) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(SCHEMA_1)
    for record in records:
        _insert(connection, record)
    return connection


def test_a_store_of_schema_1_keeps_every_record_and_its_key(tmp_path: Path) -> None:
    records = [_record(seed) for seed in range(5)]
    _old_store(tmp_path / "r.sqlite", records).close()
    with Store(tmp_path / "r.sqlite") as store:
        assert store.count() == 5
        assert store.find(CONFIG) == records
        assert store.get([record.run_id for record in records]) == {record.run_id: record for record in records}
        assert states(store, [record.run_id for record in records]) == {record.run_id: "done" for record in records}
        assert [result.metrics for result in results(store)] == [record.metrics for record in records]
        assert list(configs(store).values()) == [CONFIG.model_dump()]
        assert store.connection.sqlite.execute("PRAGMA user_version").fetchone() == (STORE_SCHEMA,)


def test_a_writer_of_schema_1_goes_on_while_the_store_is_brought_up_to_date(tmp_path: Path) -> None:
    old = _old_store(tmp_path / "r.sqlite", [_record(0)])
    with Store(tmp_path / "r.sqlite") as store:
        _insert(old, _record(1))
        assert [result.seed for result in results(store)] == [0, 1], "what it writes is found"
        assert store.find(CONFIG) == [_record(0), _record(1)]
    old.close()


def test_a_damaged_record_of_schema_1_stops_nobody_else(tmp_path: Path) -> None:
    old = _old_store(tmp_path / "r.sqlite", [_record(0)])
    with old:
        old.execute("INSERT INTO runs VALUES ('damaged', 1, 0, 'glyphs', '{', 0.0)")
    old.close()
    with Store(tmp_path / "r.sqlite") as store:
        assert store.count() == 2
        assert [result.seed for result in results(store)] == [0]


def test_metrics_that_are_not_finite_are_kept(tmp_path: Path) -> None:
    record = dataclasses.replace(_record(0), metrics={"order": float("nan"), "ratio": float("inf")})
    with Store(tmp_path / "r.sqlite") as store:
        store.add(record)
        (result,) = results(store)
    assert str(result.metrics) == "{'order': nan, 'ratio': inf}"
