"""The results database: whole records, found by key, and clear errors."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import multiprocessing
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from subtx_toy.errors import StoreError
from subtx_toy.settings.base import RESULTS_VERSION, run_id
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store import Store, connection, default_path, place
from subtx_toy.store.record import RunRecord

RECORD = RunRecord(
    run_id="a" * 32,
    results_version=RESULTS_VERSION,
    config={"dataset": "glyphs", "lr": 3e-4},
    seed=3,
    dataset_sha256="f" * 64,
    versions={"torch": "2.13.0"},
    metrics={"teacher.accuracy": 0.1 + 0.2, "a.accuracy": 0.5},
    wall_seconds=1.5,
    cpu_seconds=1.25,
    training_cpu_seconds=1.0,
    peak_rss_mib=300.0,
    series={"teacher.loss": [2.0, 0.5, 0.25]},
)


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as store:
        assert store.add(RECORD)
    with Store(tmp_path / "r.sqlite") as store:
        found = store.get([RECORD.run_id, "b" * 32])
    assert found == {RECORD.run_id: RECORD}
    assert list(found[RECORD.run_id].metrics) == list(RECORD.metrics)


def test_series_are_float32_and_metrics_float64(tmp_path: Path) -> None:
    record = dataclasses.replace(RECORD, series={"x": [0.1]})
    with Store(tmp_path / "r.sqlite") as store:
        store.add(record)
        back = store.get([record.run_id])[record.run_id]
    assert back.metrics["teacher.accuracy"] == 0.1 + 0.2
    assert back.series["x"] != [0.1]
    assert back.series["x"] == pytest.approx([0.1], rel=1e-7)


def test_a_second_record_of_the_same_key_changes_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as store:
        assert store.add(RECORD)
        assert not store.add(dataclasses.replace(RECORD, cpu_seconds=99.0, series={}))
        assert store.count() == 1
        assert store.get([RECORD.run_id])[RECORD.run_id] == RECORD


def test_two_open_stores_see_each_others_records(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as one, Store(tmp_path / "r.sqlite") as two:
        one.add(RECORD)
        assert two.count() == 1
        assert not two.add(RECORD)


def test_the_folder_is_made(tmp_path: Path) -> None:
    with Store(tmp_path / "new" / "folder" / "r.sqlite") as store:
        assert store.count() == 0


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as store:
        store.add(RECORD)
        pages = store.connection.sqlite.execute("PRAGMA page_count").fetchone()[0]
        store.connection.sqlite.execute(f"PRAGMA max_page_count = {pages + 1}")
        big = dataclasses.replace(RECORD, run_id="c" * 32, series={"x": [0.0] * 100_000})
        with pytest.raises(StoreError, match="full"):
            store.add(big)
        assert store.count() == 1
        store.connection.sqlite.execute("PRAGMA max_page_count = 1000000")
        assert store.add(big)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the folder"):
        Store(tmp_path / "file" / "r.sqlite")


def test_a_folder_in_place_of_the_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="got the folder"):
        Store(tmp_path)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    path.write_text("my thesis, " * 1000)
    with pytest.raises(StoreError, match="not a database"):
        Store(path)
    assert path.read_text() == "my thesis, " * 1000


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "r.sqlite")
    connection.execute("CREATE TABLE photos (id)")
    connection.close()
    with pytest.raises(StoreError, match="another SQLite file"):
        Store(tmp_path / "r.sqlite")


def test_a_later_schema_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as store:
        store.connection.sqlite.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="later version"):
        Store(tmp_path / "r.sqlite")


def test_a_database_that_cannot_be_written_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.sqlite"
    Store(path).close()
    # The tests may run as root, for whom a file mode forbids nothing.
    monkeypatch.setattr(connection, "can_write", lambda _path: False)
    with pytest.raises(StoreError, match="read-only for you"):
        Store(path)


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "file_system", lambda _folder: "nfs4")
    with pytest.raises(StoreError, match="network file system"):
        Store(tmp_path / "r.sqlite")


def test_the_place_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTX_TOY_STORE", "/some/where.sqlite")
    assert default_path() == Path("/some/where.sqlite")


def test_records_are_found_by_configuration(tmp_path: Path) -> None:
    config = RunConfig(dataset="glyphs")

    def record(config: RunConfig, seed: int, sha256: str = "f" * 64) -> RunRecord:
        key = run_id(config, seed=seed, dataset_sha256=sha256)
        return dataclasses.replace(RECORD, run_id=key, seed=seed, config=config.model_dump(), dataset_sha256=sha256)

    mine = [record(config, seed) for seed in (2, 0, 1)]
    other = record(RunConfig(dataset="glyphs", width=3), 0)
    old = dataclasses.replace(mine[0], run_id="e" * 32, results_version=RESULTS_VERSION - 1)
    with Store(tmp_path / "r.sqlite") as store:
        for one in (*mine, other, old):
            store.add(one)
        assert [one.seed for one in store.find(config)] == [0, 1, 2]
        assert store.find(RunConfig(width=5)) == []
        store.add(record(config, 0, "0" * 64))
        with pytest.raises(StoreError, match="one data set"):
            store.find(config)


def test_records_of_one_file_of_the_users_own_are_not_found_as_those_of_another(tmp_path: Path) -> None:
    config = RunConfig(dataset="a.npz")
    key = run_id(config, seed=3, dataset_sha256=RECORD.dataset_sha256)
    with Store(tmp_path / "r.sqlite") as store:
        store.add(dataclasses.replace(RECORD, run_id=key, config=config.model_dump()))
        assert [record.run_id for record in store.find(config)] == [key]
        assert store.find(RunConfig(dataset="b.npz")) == []


def test_records_made_before_a_setting_existed_are_still_found(tmp_path: Path) -> None:
    config = RunConfig(dataset="glyphs")
    older = {name: value for name, value in config.model_dump().items() if name != "input_pool"}
    key = run_id(config, seed=3, dataset_sha256=RECORD.dataset_sha256)
    with Store(tmp_path / "r.sqlite") as store:
        store.add(dataclasses.replace(RECORD, run_id=key, config=older))
        assert [record.run_id for record in store.find(config)] == [key]


def test_a_damaged_record_is_one_clear_error(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as store:
        store.add(RECORD)
        for text in ("{", '{"other": 1}'):
            store.connection.sqlite.execute("UPDATE runs SET record = ?", (text,))
            with pytest.raises(StoreError, match=f"damaged: the record {RECORD.run_id}"):
                store.get([RECORD.run_id])


def _open_store(path: Path) -> None:
    Store(path).close()


def test_many_processes_may_make_one_store_at_once(tmp_path: Path) -> None:
    with concurrent.futures.ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        for attempt in range(10):
            for opened in [pool.submit(_open_store, tmp_path / f"{attempt}.sqlite") for _ in range(4)]:
                opened.result()


SAYS = "from subtx_toy.store.record import peak_rss_mib; print(peak_rss_mib())"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SAYS!r}], check=True)"


@pytest.mark.parametrize(("then", "low", "high"), [(SAYS, 300, 600), (CHILD, 5, 299)], ids=["its own", "its parent's"])
def test_a_peak_counts_what_a_process_takes_and_not_what_started_it(then: str, low: float, high: float) -> None:
    large = f"large = bytearray(300 * 2**20); {then}"
    peak = float(subprocess.check_output([sys.executable, "-c", large], text=True))
    assert low < peak < high
