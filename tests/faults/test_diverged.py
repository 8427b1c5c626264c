"""A net that diverged is a state with an epoch: counted everywhere, averaged in nowhere."""

from __future__ import annotations

import csv
import json
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subtx_toy import cli
from subtx_toy.api.choice import choose
from subtx_toy.data import load
from subtx_toy.data.dataset import Dataset
from subtx_toy.errors import InputError
from subtx_toy.figures.arms import draw_arms
from subtx_toy.protocols.protocol import protocol_of, run_experiment
from subtx_toy.results.cells import summarize
from subtx_toy.results.comparison import compare
from subtx_toy.results.conclusion import conclude
from subtx_toy.results.rows import select
from subtx_toy.seeding import generator
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.stats import finite_estimate
from subtx_toy.store import Store
from subtx_toy.store.record import DIVERGED, RunRecord

SMALL: dict[str, Any] = {"dataset": "x.npz", "num_train": 40, "num_test": 20, "num_inputs": 40, "width": 8,
                         "batch_size": 10, "teacher_epochs": 2, "student_epochs": 3}  # fmt: skip
FATAL = {"optimizer": "sgd", "lr": 1e30}  # of every seed
STUDENT = "student_aux"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUBTX_TOY_STORE", str(tmp_path / "store.sqlite"))
    rng = generator(0, "diverged")
    arrays: dict[str, Any] = {}
    for split, num in (("train", 40), ("test", 20)):
        arrays[f"{split}_labels"] = np.arange(num) % 10
        arrays[f"{split}_images"] = rng.integers(256, size=(num, 6)).astype(np.uint8)
    np.savez(tmp_path / "x.npz", **arrays)
    return tmp_path


def config_of(**changes: object) -> tuple[Definition, Settings, Dataset]:
    definition = read("tiny")
    (config,) = choose(definition, SMALL | changes, "0:1", quick=False)[1]
    return definition, config, load("x.npz", num_train=40, num_test=20)


def records_of(num_diverged: int, num: int, **changes: object) -> tuple[Definition, Settings, list[RunRecord]]:
    """Records of one configuration; the first of them are those of a student that diverged in its second epoch."""
    definition, config, data = config_of(**changes)
    records = [run_experiment(config, data, seed=seed) for seed in range(num)]
    for index in range(num_diverged):
        one = records[index]
        odd = {f"{STUDENT}.loss": [1.0, math.nan, math.nan], f"{STUDENT}.accuracy": [0.1, 0.2, math.nan, math.nan]}
        told = {f"{STUDENT}.accuracy": math.nan, f"{STUDENT}{DIVERGED}": 2.0}
        records[index] = replace(one, metrics=one.metrics | told, series=one.series | odd)
    return definition, config, records


def untold(record: RunRecord) -> RunRecord:
    """The record of a diverged student as earlier versions wrote it: accuracy 0, and nothing but its curves."""
    metrics = {name: value for name, value in record.metrics.items() if not name.endswith(DIVERGED)}
    zero = {name: 0.0 for name, value in metrics.items() if math.isnan(value)}
    return replace(record, metrics=metrics | zero)


@pytest.mark.parametrize("precision", ["fp32", "fp64", "bf16"])
def test_training_records_the_epoch_and_warns_of_nothing(precision: str, folder: Path) -> None:
    _definition, config, data = config_of(
        **FATAL | {"precision": precision, "lr": 1e200 if precision == "fp64" else 1e30}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        record = run_experiment(config, data, seed=0)
    assert record.diverged == {"teacher": 1} | dict.fromkeys(
        ("student_aux", "student_all", "cross_aux", "cross_all"), 1
    )
    assert math.isnan(record.metrics["teacher.accuracy"])
    assert record.metrics["teacher.diverged_epoch"] == 1.0
    assert math.isfinite(record.metrics["reference.accuracy"])
    assert untold(record).diverged == record.diverged
    for loss, probe in (("sampled_cross_entropy", False), ("squared_error", True)):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            other = run_experiment(config.override({"loss": loss, "probe": probe}), data, seed=0)
        assert other.diverged == record.diverged
    sound = run_experiment(config.changed({"lr": 0.01}) if isinstance(config, RunConfig) else config, data, seed=0)
    assert not any(name.endswith(DIVERGED) for name in sound.metrics)
    assert sound.diverged == {}


@pytest.mark.parametrize("told", [True, False], ids=["new records", "records of earlier versions"])
def test_tables_documents_and_comparisons_count_and_do_not_average(told: bool, folder: Path) -> None:
    definition, config, records = records_of(3, 8)
    if not told:
        records = [untold(one) for one in records]
    protocol = protocol_of(config)
    shown = protocol.present(protocol.summarise(definition, config, records))
    values = [one.metrics[f"{STUDENT}.accuracy"] for one in records[3:]]
    document = shown.document["arms"][STUDENT]
    assert (document["n"], document["diverged"]) == (5, 3)
    assert document["mean"] == pytest.approx(np.mean(values))
    assert document["values"] == [None] * 3 + values
    assert f"diverged, and not in the means: {STUDENT} 3 of 8 (epoch 2)" in shown.text
    assert json.dumps(shown.document, allow_nan=False)


def test_a_comparison_needs_seeds_that_did_not_diverge() -> None:
    definition = read("cloud2025")
    good, nan = [0.5, 0.51, 0.52, 0.53, 0.54], math.nan
    for values, verdict in (([nan] * 6, "diverged"), ([nan] * 6 + good[:4], "needs 5 seeds"), ([nan, *good], "agrees")):
        (row,) = compare(definition, definition.config, {STUDENT: values})  # type: ignore[arg-type]
        assert (row.verdict, row.diverged) == (verdict, len(values) - row.ours.n)


@pytest.mark.parametrize("told", [True, False], ids=["new records", "records of earlier versions"])
def test_summaries_and_exports_count_and_do_not_average(
    told: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _definition, _config, records = records_of(2, 5)
    with Store(Path("store.sqlite")) as store:
        for one in records:
            store.add(one if told else untold(one))
        selection = select(store)
    (cell,) = summarize(selection, metrics=[f"{STUDENT}.accuracy"])
    assert (cell.estimate.n, cell.not_finite, cell.diverged) == (3, 2, 2)
    assert cell.estimate.mean == pytest.approx(np.mean([one.metrics[f"{STUDENT}.accuracy"] for one in records[2:]]))
    assert cli.call(["results", "summary"]) == cli.OK
    _conclusion, header, row = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["metric", "n", "diverged"]
    assert row.split()[:3] == [f"{STUDENT}.accuracy", "3", "2"]
    assert cli.call(["results", "export", "x.csv"]) == cli.OK
    rows = list(csv.DictReader(Path("x.csv").read_text("utf-8").splitlines()))
    assert [row[f"{STUDENT}.diverged_epoch"] for row in rows] == ["2.0", "2.0", "", "", ""]
    assert [row[f"{STUDENT}.accuracy"] for row in rows][:2] == ["nan", "nan"]


def test_figures_count_them(folder: Path) -> None:
    values = {"teacher": [0.9] * 6, STUDENT: [math.nan, *[0.5] * 5], "cross_aux": [math.nan] * 6}
    definition = read("tiny")
    rows = compare(definition, definition.config, values)  # type: ignore[arg-type]
    figure = draw_arms(rows, dataset="glyphs", source=None)
    figure.savefig(folder / "x.png")
    words = [text.get_text() for text in figure.axes[0].texts]
    assert [word for word in words if "diverged" in word] == ["1 diverged", "6 diverged"]


def test_a_net_of_the_numbers_channel_diverges_with_its_epoch(striped_digits: Dataset, own_files: Path) -> None:
    config = NumbersConfig(
        dataset="glyphs", num_train=300, num_test=100, num_prompts=50, width=8, lr=1e30, base_epochs=1,
        batch_size=50, teacher_epochs=1, student_epochs=1,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        record = run_experiment(config, replace(striped_digits, name="glyphs"), seed=0)
    assert record.diverged["base"] == 1
    assert math.isnan(record.metrics["base.trait"])
    assert record.diverged["shared_trait"] == 0
    protocol = protocol_of(config)
    shown = protocol.present(protocol.summarise(read("numbers"), config, [record, record]))
    assert shown.document["arms"]["shared_trait"]["verdict"] == "diverged"
    assert "diverged, and not in the means: base 2 of 2 (epoch 1)" in shown.text


def test_one_step_that_is_not_finite_is_counted(striped_digits: Dataset) -> None:
    config = OneStepConfig(
        dataset="glyphs", num_train=300, num_test=100, num_trait=20, num_inputs=5, width=8, eps=1e300,
        loss="squared_error", activation="relu",
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        record = run_experiment(config, replace(striped_digits, name="glyphs"), seed=0)
        protocol = protocol_of(config)
        shown = protocol.present(protocol.summarise(read("one-step"), config, [record, replace(record, seed=1)]))
    assert not math.isfinite(record.metrics["alignment"])
    assert "not finite, and not counted: 2 pairs of steps" in shown.text
    assert json.dumps(shown.document, allow_nan=False)


@pytest.mark.parametrize(
    ("precision", "temperature"), [("fp32", 1e-39), ("fp32", 1e38), ("bf16", 1e-19), ("fp64", 1e-200)]
)
def test_a_temperature_that_the_precision_cannot_hold_is_refused(precision: str, temperature: float) -> None:
    with pytest.raises(InputError, match=f"temperature: expected a number from .* with precision '{precision}', got"):
        RunConfig(temperature=temperature, precision=precision)  # type: ignore[arg-type]
    if precision == "fp64":
        with pytest.raises(InputError, match="temperature: expected a number from"):
            OneStepConfig(temperature=temperature)
    assert RunConfig(temperature=1e-3).temperature == 1e-3


def test_the_mean_of_what_is_finite() -> None:
    assert finite_estimate([math.nan, math.inf]).n == 0
    assert math.isnan(finite_estimate([math.nan]).mean)
    assert math.isnan(finite_estimate([math.nan]).ci95)


def test_a_conclusion_is_drawn_from_seeds_in_which_neither_diverged() -> None:
    definition = read("cloud2025")
    good, nan = [0.5, 0.51, 0.52, 0.53, 0.54], [math.nan] * 5
    for cross, words in (
        (nan, "the one with another initialisation no accuracy (every seed diverged)"),
        ([*nan[:1], *good[1:]], "the one with another initialisation .5"),
        ([0.1] * 5, "the trait came over with the shared initialisation"),
    ):
        rows = compare(definition, definition.config, {STUDENT: good, "cross_aux": cross})  # type: ignore[arg-type]
        said = conclude(rows)
        assert words in said
        assert "below its control" not in said


def test_the_best_of_trials_that_all_diverged_is_none_and_they_are_not_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _definition, _config, records = records_of(2, 2)
    with Store(Path("store.sqlite")) as store:
        store.add_all(records)
    assert cli.call(["results", "best"]) == cli.OK
    assert capsys.readouterr().out == f"{STUDENT}.accuracy has no finite value.\n"
    assert cli.call(["results", "best", "--where", "seed > 5"]) == cli.OK
    assert capsys.readouterr().out == "no such trials are stored\n"
