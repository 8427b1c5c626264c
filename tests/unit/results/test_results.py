"""Stored results as cells, frames and files: never pooled by accident, never half written."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import sys
from pathlib import Path

import pytest

from subtx_toy.api.results import results
from subtx_toy.errors import InputError
from subtx_toy.results.cells import summarize
from subtx_toy.results.export import export
from subtx_toy.results.holdings import overview
from subtx_toy.results.rows import columns, select
from subtx_toy.settings.base import RESULTS_VERSION, run_id
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.stats import estimate
from subtx_toy.store import Store
from subtx_toy.store.record import RunRecord
from tests.unit.store.test_schema import _record

NARROW, WIDE = RunConfig(dataset="glyphs", width=8), RunConfig(dataset="glyphs", width=16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Store(tmp_path / "r.sqlite") as store:
        store.add_all([_record(seed, config) for seed in range(4) for config in (NARROW, WIDE)])
    return tmp_path / "r.sqlite"


def _add(path: Path, *records: RunRecord) -> None:
    with Store(path) as store:
        assert store.add_all(records) == len(records)


def test_a_cell_holds_one_configuration_with_mean_interval_and_n(path: Path) -> None:
    with Store(path) as store:
        cells = summarize(select(store))
    assert [cell.axes for cell in cells] == [{"width": 8}, {"width": 16}]
    expected = estimate([0.5, 1.5, 2.5, 3.5])
    assert [(cell.metric, cell.estimate, cell.not_finite) for cell in cells] == [
        ("student_aux.accuracy", expected, 0)
    ] * 2
    assert cells[0].estimate.ci95 == pytest.approx(3.182446305 * math.sqrt(5 / 3 / 4))  # t of 3 degrees of freedom


def test_other_versions_are_left_out_then_shown_apart_and_pooled_only_when_asked(path: Path) -> None:
    old = dataclasses.replace(_record(9, NARROW), results_version=RESULTS_VERSION - 1, run_id="old")
    _add(path, old)
    with Store(path) as store:
        usual, every = select(store), select(store, all_versions=True)
    assert usual.left_out == {RESULTS_VERSION - 1: 1}
    assert [cell.estimate.n for cell in summarize(usual)] == [4, 4]
    apart = {(cell.axes["width"], cell.axes["results_version"]): cell.estimate.n for cell in summarize(every)}
    assert apart == {(8, RESULTS_VERSION - 1): 1, (8, RESULTS_VERSION): 4, (16, RESULTS_VERSION): 4}
    assert [cell.estimate.n for cell in summarize(every, pool_versions=True)] == [5, 4]


def test_pooled_versions_give_one_value_a_seed_the_newest(path: Path) -> None:
    for version in (RESULTS_VERSION - 1, RESULTS_VERSION - 2):
        old = dataclasses.replace(_record(2, NARROW), results_version=version, run_id=f"old {version}")
        _add(path, dataclasses.replace(old, metrics={"student_aux.accuracy": 9.0}))
    with Store(path) as store:
        cells = summarize(select(store, all_versions=True), pool_versions=True)
    assert [cell.estimate for cell in cells] == [estimate([0.5, 1.5, 2.5, 3.5])] * 2


def test_bfloat16_of_another_version_is_left_out_then_shown_apart(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    low = RunConfig(dataset="glyphs", width=8, precision="bf16")
    with monkeypatch.context() as earlier:
        earlier.setattr("subtx_toy.settings.distillation.BF16_VERSION", 1)
        old = [dataclasses.replace(_record(seed, low), metrics={"student_aux.accuracy": 9.0}) for seed in (0, 1, 7)]
    new = [_record(seed, low) for seed in range(3)]
    _add(path, *old, *new)
    label = f"{RESULTS_VERSION} with another BF16_VERSION"
    with Store(path) as store:
        usual, every = select(store, wanted=[low]), select(store, wanted=[low], all_versions=True)
        exact = select(store, wanted=[NARROW])
    assert usual.left_out == {label: 3}
    assert {row.run_id for row in usual.results} == {record.run_id for record in new}
    assert [cell.estimate for cell in summarize(usual)] == [estimate([0.5, 1.5, 2.5])]
    assert [(cell.axes, cell.estimate.mean, cell.estimate.n) for cell in summarize(every)] == [
        ({"results_version": RESULTS_VERSION}, 1.5, 3), ({"results_version": label}, 9.0, 3),
    ]  # fmt: skip
    assert [cell.estimate for cell in summarize(every, pool_versions=True)] == [estimate([0.5, 1.5, 2.5, 9.0])]
    table = columns(every)
    assert [key for key, old in zip(table["run_id"], table["other_bf16_version"], strict=True) if not old] == [
        run_id(low, seed=seed, dataset_sha256="f" * 64) for seed in range(3)
    ]
    assert exact.left_out == {}


def test_other_data_is_another_cell(path: Path) -> None:
    _add(path, dataclasses.replace(_record(0, NARROW), dataset_sha256="e" * 64, run_id="other data"))
    with Store(path) as store:
        cells = summarize(select(store))
    assert sorted((cell.axes["width"], cell.axes["dataset_sha256"], cell.estimate.n) for cell in cells) == [
        (8, "e" * 64, 1), (8, "f" * 64, 4), (16, "f" * 64, 4),
    ]  # fmt: skip


def test_a_record_that_lacks_a_newer_setting_is_in_the_same_cell(path: Path) -> None:
    older = {name: value for name, value in NARROW.model_dump().items() if name != "input_pool"}
    _add(path, dataclasses.replace(_record(7, NARROW), config=older))
    with Store(path) as store:
        assert [cell.estimate.n for cell in summarize(select(store))] == [5, 4]


def test_values_that_are_not_finite_are_counted_and_not_averaged(path: Path) -> None:
    _add(path, dataclasses.replace(_record(9, NARROW), metrics={"student_aux.accuracy": math.nan}))
    with Store(path) as store:
        cell = summarize(select(store))[0]
    assert (cell.not_finite, cell.estimate.n, math.isnan(cell.estimate.mean)) == (1, 4, False)


def test_what_is_wanted_is_selected(path: Path) -> None:
    with Store(path) as store:
        assert {row.seed for row in select(store, wanted=[WIDE], seeds=[1, 2]).results} == {1, 2}
        assert len(select(store, wanted=[WIDE]).results) == 4
        assert select(store, wanted=[RunConfig()]).results == ()


def test_two_protocols_and_an_unknown_metric_are_clear_errors(path: Path) -> None:
    with Store(path) as store, pytest.raises(InputError, match=r"did you mean 'student_aux\.accuracy'"):
        summarize(select(store), metrics=["student_aux.acuracy"])
    one_step = OneStepConfig(dataset="glyphs")
    _add(path, dataclasses.replace(_record(0), config=one_step.model_dump(), metrics={"alignment": 1.0}))
    with Store(path) as store:
        with pytest.raises(InputError, match="expected one protocol, got"):
            summarize(select(store))
        assert [cell.metric for cell in summarize(select(store, wanted=[one_step]))] == ["alignment"]
        assert {row["protocol"]: row["trials"] for row in overview(store).stored} == {"distillation": 8, "one-step": 1}


def test_results_are_one_line_of_pandas_away(path: Path) -> None:
    pytest.importorskip("pandas", reason="an optional extra")
    found = results(store=path)
    assert len(found) == 8
    assert found.groupby("width")["student_aux.accuracy"].mean().to_dict() == {8: 2.0, 16: 2.0}
    assert found["results_version"].unique().tolist() == [RESULTS_VERSION]


def test_a_frame_of_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a results database, got none"):
        results(store=tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_exports_hold_every_row_with_its_provenance(path: Path, tmp_path: Path) -> None:
    with Store(path) as store:
        selection = select(store)
    table = columns(selection)
    assert export(selection, tmp_path / "r.csv") == 8
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["run_id"] for row in rows] == table["run_id"]
    assert [float(row["student_aux.accuracy"]) for row in rows] == table["student_aux.accuracy"]
    assert {row["dataset_sha256"] for row in rows} == {"f" * 64}
    parquet = pytest.importorskip("pyarrow.parquet", reason="an optional extra")
    export(selection, tmp_path / "r.parquet")
    read = parquet.read_table(tmp_path / "r.parquet")
    assert read.to_pydict() == table
    assert json.loads(read.schema.metadata[b"subtx_toy"])["results_version"] == RESULTS_VERSION


def test_an_export_that_fails_leaves_the_old_file_and_nothing_else(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "r.csv"
    target.write_text("old")

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with Store(path) as store, pytest.raises(InputError, match="No space left on device"):
        export(select(store), target)
    assert target.read_text() == "old"
    assert list(tmp_path.glob(".r.csv*")) == []


@pytest.mark.parametrize(
    ("name", "missing", "sentence"),
    [
        ("r.xlsx", "", "expected a name ending in .parquet, .csv or .jsonl"),
        ("r.parquet", "pyarrow", "pip install pyarrow"),
    ],
)
def test_what_cannot_be_exported_is_told(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, missing: str, sentence: str
) -> None:
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    with Store(path) as store, pytest.raises(InputError, match=sentence):
        export(select(store), tmp_path / name)


def test_a_frame_without_pandas_says_how_to_get_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        results(store=path)
