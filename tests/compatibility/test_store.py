"""A store of the earlier version is read, summarised, resumed and exported with the same values."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing.process
import sqlite3
from typing import Any

import numpy as np
import pytest

from tests.compatibility.commands import FIXTURES, Workplace, names
from tests.compatibility.documents import differences


def _rows(work: Workplace, query: str) -> list[Any]:
    connection = sqlite3.connect(work.folder / "results.sqlite")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _contents(work: Workplace) -> list[Any]:
    """Everything that trials left, and when."""
    return [_rows(work, f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("runs", "series")]


def test_every_record_is_read_as_it_was_written(work: Workplace) -> None:
    stored = _rows(work, "SELECT run_id, record FROM runs")
    series: dict[str, dict[str, list[float]]] = {run_id: {} for run_id, _ in stored}
    for run_id, name, data in _rows(work, "SELECT run_id, name, data FROM series"):
        series[run_id][name] = np.frombuffer(data, "<f4").tolist()
    assert len(stored) == 60
    for run_id, record in stored:
        found = work.document("results", "show", run_id, "--store", "results.sqlite")
        assert differences({**json.loads(record), "run_id": run_id, "series": series[run_id]}, found) == []


@pytest.mark.parametrize("name", names("results-", "dry-sweep-begun"))
def test_what_is_stored_is_summarised_with_the_same_values(work: Workplace, name: str) -> None:
    work.assert_prints_what_it_did(name)


def test_what_is_stored_is_exported_with_the_same_values(work: Workplace) -> None:
    work.text("results", "export", "new.csv", "--store", "results.sqlite")
    tables = [(place / name).read_text(encoding="utf-8") for place, name in
              ((FIXTURES, "export.csv"), (work.folder, "new.csv"))]  # fmt: skip
    old, new = (list(csv.DictReader(io.StringIO(table))) for table in tables)
    assert differences(old, new) == []


@pytest.mark.parametrize("name", names("stored-"))
def test_what_is_stored_is_not_run_again(work: Workplace, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(process: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", start)
    before = _contents(work)
    work.assert_prints_what_it_did(name, "seconds")
    assert _contents(work) == before
