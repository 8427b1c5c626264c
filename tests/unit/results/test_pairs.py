"""Two groups of trials against each other: paired where seeds start alike, apart where they do not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from subtx_toy.errors import InputError
from subtx_toy.results.cells import summarize
from subtx_toy.results.condition import Condition
from subtx_toy.results.pairs import compare
from subtx_toy.results.plot_data import importance, lay_out
from subtx_toy.results.rows import Selection, narrowed, select
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store import Store
from tests.unit.store.test_schema import _record


def _selection(path: Path, values: Mapping[Any, list[float]]) -> Selection:
    with Store(path) as store:
        for changes, column in values.items():
            config = RunConfig(dataset="glyphs", **dict(changes))
            rows = [_record(seed, config) for seed in range(len(column))]
            store.add_all(
                [dataclasses.replace(row, metrics={"loss": value}) for row, value in zip(rows, column, strict=True)]
            )
        return select(store)


def _of(selection: Selection, text: str) -> Selection:
    return narrowed(selection, Condition.parse(text))


GENERATOR = np.random.default_rng(3)
SEEDS = GENERATOR.normal(size=8)
HIGH, LOW = list(SEEDS + 0.1 + 0.01 * GENERATOR.normal(size=8)), list(SEEDS)


def test_seeds_are_paired_where_the_init_is_shared(tmp_path: Path) -> None:
    found = _selection(tmp_path / "r.sqlite", {(("lr", 1e-3),): LOW, (("lr", 1e-2),): HIGH})
    (row,) = compare(_of(found, "lr < .005"), _of(found, "lr > .005")).rows
    oracle = stats.ttest_rel(HIGH, LOW).confidence_interval()
    assert row.paired
    assert tuple(row.interval) == pytest.approx((oracle.low, oracle.high))
    assert row.verdict == "second is higher"


def test_a_group_against_itself_is_said_to_be_the_same_trials(tmp_path: Path) -> None:
    found = _selection(tmp_path / "r.sqlite", {(("lr", 1e-3),): LOW, (("lr", 1e-2),): HIGH})
    both = compare(found, _of(found, "lr < .005"))
    (row,) = both.rows
    assert (row.verdict, row.estimate.mean, row.document["n"]) == ("the same trials", 0.0, 8)
    assert "the same trials" in both.conclusion
    assert all(math.isnan(end) for end in row.interval)
    fewer = narrowed(_of(found, "lr < .005"), Condition.parse("seed < 7"))
    assert not compare(fewer, _of(found, "lr < .005")).rows[0].same


def test_seeds_of_another_architecture_are_no_pairs(tmp_path: Path) -> None:
    found = _selection(tmp_path / "r.sqlite", {(("width", 8),): LOW, (("width", 16),): HIGH})
    (row,) = compare(_of(found, "width == 8"), _of(found, "width == 16")).rows
    oracle = stats.ttest_ind(HIGH, LOW, equal_var=False).confidence_interval()
    assert not row.paired
    assert tuple(row.interval) == pytest.approx((oracle.low, oracle.high))
    assert row.verdict == "no difference found"  # what pairing would have shown is not there to be paired


def test_configurations_find_the_partner_that_agrees_otherwise(tmp_path: Path) -> None:
    values = {(("lr", lr), ("num_aux", m)): [lr + m + seed for seed in range(5)] for lr in (1e-3, 1e-2) for m in (1, 2)}
    found = _selection(tmp_path / "r.sqlite", values | {(("lr", 1e-2), ("num_aux", 3)): [0.0] * 5})
    pairs = compare(_of(found, "lr < .005"), _of(found, "lr > .005"))
    assert [row.at for row in pairs.rows] == [{"num_aux": 1}, {"num_aux": 2}]
    assert [row.estimate.mean for row in pairs.rows] == pytest.approx([9e-3] * 2)
    assert (pairs.unmatched, list(pairs.told_apart)) == (1, ["lr"])


def test_few_seeds_give_no_verdict(tmp_path: Path) -> None:
    found = _selection(tmp_path / "r.sqlite", {(("lr", 1e-3),): [0.0, 0.1], (("lr", 1e-2),): [5.0, 5.1]})
    (row,) = compare(_of(found, "lr < .005"), _of(found, "lr > .005")).rows
    assert row.verdict == "needs 5 seeds"


def test_an_empty_group_or_an_unknown_metric_is_named(tmp_path: Path) -> None:
    found = _selection(tmp_path / "r.sqlite", {(("lr", 1e-3),): LOW, (("lr", 1e-2),): HIGH})
    one, two = _of(found, "lr < .005"), _of(found, "lr > .005")
    with pytest.raises(InputError, match="first: expected stored trials, got none"):
        compare(_of(found, "lr > 1"), two)
    with pytest.raises(InputError, match="metric: expected one of loss, got 'los'; did you mean 'loss'"):
        compare(one, two, metric="los")


def test_lines_never_pool_what_varies_beside_them(tmp_path: Path) -> None:
    values = {(("width", w), ("num_aux", m)): [float(w * m)] * 2 for w in (8, 200) for m in (1, 2, 3)}
    cells = summarize(_selection(tmp_path / "r.sqlite", values))
    layout = lay_out(cells)
    assert (layout.x, layout.scale, [line.label for line in layout.lines]) == (
        "num_aux", "linear", ["width=8", "width=200"],
    )  # fmt: skip
    assert [[cell.estimate.mean for cell in line.cells] for line in layout.lines] == [[8, 16, 24], [200, 400, 600]]
    assert lay_out(cells, x="width").scale == "log"
    for wrong in ({"x": "widht"}, {"x": "width", "by": "width"}, {"by": "lr"}):
        with pytest.raises(InputError, match=r"^(x|by): expected"):
            lay_out(cells, **wrong)


def test_importance_is_the_share_of_variance_between_the_values(tmp_path: Path) -> None:
    values = {(("width", w), ("num_aux", m)): [float(3 * w + m)] * 2 for w in (1, 2) for m in (1, 2)}
    found = importance(summarize(_selection(tmp_path / "r.sqlite", values)))
    assert found == pytest.approx({"width": 0.9, "num_aux": 0.1})  # effects 3 and 1: their squares over the sum


def test_a_verdict_counts_the_pairs_and_not_the_seeds_of_either_group(tmp_path: Path) -> None:
    gap = [np.nan] * 4
    found = _selection(tmp_path / "r.sqlite", {(("lr", 1e-3),): [*gap, *LOW], (("lr", 1e-2),): [*HIGH, *gap]})
    (row,) = compare(_of(found, "lr < .005"), _of(found, "lr > .005")).rows
    assert (row.first.n, row.second.n, row.estimate.n) == (4, 4, 4)
    assert row.verdict == "needs 5 seeds"


def test_the_means_of_paired_seeds_give_their_difference(tmp_path: Path) -> None:
    found = _selection(tmp_path / "r.sqlite", {(("lr", 1e-3),): LOW[:6], (("lr", 1e-2),): HIGH})
    (row,) = compare(_of(found, "lr < .005"), _of(found, "lr > .005")).rows
    assert (row.first.mean, row.second.mean) == pytest.approx((np.mean(LOW[:6]), np.mean(HIGH[:6])))
    assert row.estimate.mean == pytest.approx(row.second.mean - row.first.mean)


@pytest.mark.parametrize("name", ["lr", "width"], ids=["paired", "apart"])
def test_a_group_without_a_finite_value_is_said_and_not_written_as_nan(name: str, tmp_path: Path) -> None:
    found = _selection(tmp_path / "r.sqlite", {((name, 1),): LOW, ((name, 2),): [np.nan] * 8})
    pairs = compare(_of(found, f"{name} == 1"), _of(found, f"{name} == 2"))
    assert pairs.rows[0].verdict == "no value"
    assert "no finite value" in pairs.conclusion or "has a finite value" in pairs.conclusion
    assert not any("nan" in cell for cell in pairs.table.rows[0])


def test_where_nothing_is_selected_no_metric_is_wrong(tmp_path: Path) -> None:
    found = _of(_selection(tmp_path / "r.sqlite", {(): LOW}), "lr > 1")
    assert summarize(found, metrics=["any"]) == []
