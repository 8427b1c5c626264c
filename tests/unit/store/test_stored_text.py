"""Records that are not as they were written: one sentence of our own words names the field."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from subtx_toy.errors import StoreError
from subtx_toy.store import Store
from subtx_toy.store.maintenance import faults
from subtx_toy.store.results import results
from subtx_toy.store.stored_text import curve, curve_bytes, record_from, table_from
from subtx_toy.store.trials import entry
from tests.unit.store.test_schema import _record

RECORD = _record(1)
CONTENT = {name: value for name, value in dataclasses.asdict(RECORD).items() if name != "series"}
TEXTS = {
    "[]": "expected a table, got a list",
    "{": "expected JSON, got a text that is none from character 2 on",
    "{'a': 1}": "expected JSON, got a text that is none from character 2 on",
    "[" * 100_000: "expected JSON, got lists or tables that are nested too deeply",
    f'{{"seed": {"7" * 5000}}}': "expected JSON, got an integer of too many digits",
    json.dumps(CONTENT | {"mood": 1}): "mood: a record has no such field",
    json.dumps(CONTENT | {"series": {}}): "series: a record has no such field",
    json.dumps({name: value for name, value in CONTENT.items() if name != "seed"}): "seed: expected a value, got none",
    json.dumps(CONTENT | {"metrics": []}): "metrics: expected a table, got a list",
    json.dumps(CONTENT | {"metrics": {"loss": "low"}}): "metrics.loss: expected a number, got a text",
    json.dumps(CONTENT | {"metrics": {"a.diverged_epoch": float("nan")}}): (
        "metrics.a.diverged_epoch: expected an epoch, got nan"
    ),
    json.dumps(CONTENT | {"config": {}}): "config.dataset: expected a text, got none",
    json.dumps(CONTENT | {"seed": True}): "seed: expected an integer, got true or false",
    json.dumps(CONTENT | {"run_id": "other"}): "run_id: expected the key of its row, got 'other'",
}


@pytest.mark.parametrize("text", TEXTS, ids=TEXTS.values())
def test_a_broken_record_is_one_sentence(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(TEXTS[text])):
        record_from(RECORD.run_id, text, [])
    with Store(tmp_path / "r.sqlite") as store:
        store.add(RECORD)
        store.connection.sqlite.execute("UPDATE runs SET record = ?", (text,))
        with pytest.raises(StoreError, match="is damaged: the record"):
            store.get([RECORD.run_id])
    assert faults(tmp_path / "r.sqlite") == [f"record {RECORD.run_id}: damaged: {TEXTS[text]}"]


def test_curves_are_little_endian_float32_as_numpy_writes_them() -> None:
    values = [0.1, -2.0, math.nan, math.inf, 1e-46, 3.4e38, 1 + 2**-30]
    assert curve_bytes(values) == np.asarray(values, "<f4").tobytes()
    assert curve_bytes([1e39]) == np.asarray([math.inf], "<f4").tobytes()
    assert curve("x", curve_bytes([0.1, 2.0])) == np.asarray([0.1, 2.0], "<f4").tolist()


def test_a_record_as_it_was_written_is_read() -> None:
    assert record_from(RECORD.run_id, json.dumps(CONTENT), []) == RECORD
    assert table_from('{"a": NaN}').keys() == {"a"}


CHANGES = {
    "UPDATE runs SET seed = 8": "its seed, version or data set differs from that of its row",
    "UPDATE results SET seed = 8": "its settings or its seed differ from those in the index of results",
    "UPDATE configs SET config = '{}'": "its settings or its seed differ from those in the index of results",
    "UPDATE series SET data = x'00' WHERE name = 'a.loss'": "its series 'a.loss' is damaged",
    "UPDATE series SET data = x'00000000' WHERE name = 'a.accuracy'": (
        "its series 'a.accuracy' has 1 values, expected 6"
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_from_the_record_is_found(change: str, tmp_path: Path) -> None:
    curves = {"a.loss": [0.0] * 5, "a.accuracy": [0.5] * 6}
    with Store(tmp_path / "r.sqlite") as store:
        store.add(dataclasses.replace(RECORD, series=curves))
    assert faults(tmp_path / "r.sqlite") == []
    with closing(sqlite3.connect(tmp_path / "r.sqlite", isolation_level=None)) as other:
        other.execute(change)
    assert any(CHANGES[change] in fault for fault in faults(tmp_path / "r.sqlite"))


def test_sqlites_own_words_are_ours(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    with Store(path) as store:
        store.add(RECORD)
        store.connection.sqlite.execute("INSERT INTO trials VALUES ('x', 'done', 'tiny', 0, '[]', NULL, NULL, 0)")
        with pytest.raises(StoreError, match="the trial x: config: expected a table, got a list"):
            entry(store, "x")
        store.connection.sqlite.execute("UPDATE runs SET record = CAST(x'ff' AS TEXT)")
        with pytest.raises(StoreError, match="a text of the column record is not UTF-8"):
            store.get([RECORD.run_id])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        made = other.execute("SELECT sql FROM sqlite_schema WHERE name = 'runs'").fetchone()[0]
        other.execute("DROP TABLE runs")
        other.execute(made.replace("TEXT PRIMARY KEY", "TEXT"))
    with pytest.raises(StoreError, match="table runs has other columns"):
        faults(path)


@pytest.mark.parametrize("text", ['{"a": 1}, {"b": 2}', '{"a": 1', "", "[1]", '{"a": "1"}', '{"a": true}'])
def test_a_damaged_result_among_sound_ones_is_named(text: str, tmp_path: Path) -> None:
    records = [_record(seed) for seed in range(5)]
    with Store(tmp_path / "r.sqlite") as store:
        store.add_all(records)
        assert [one.metrics for one in results(store)] == [one.metrics for one in records]
        key = records[3].run_id
        store.connection.sqlite.execute("UPDATE results SET metrics = ? WHERE run_id = ?", (text, key))
        with pytest.raises(StoreError, match=f"result '?{key}'? (is none|cannot be read)"):
            list(results(store))
