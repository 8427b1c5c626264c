"""Means of any protocol's metrics: none is lost, and none is made up where there is no value."""

from __future__ import annotations

import dataclasses
import math

import pytest

from subtx_toy.results.run_summary import present_means, summarise_means
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read
from tests.unit.store.test_schema import _record

CONFIG = RunConfig(dataset="glyphs")


def shown(*metrics: dict[str, float], widths: tuple[int, ...] = ()) -> tuple[list[list[str]], str]:
    configs = [CONFIG.changed({"width": width}) for width in widths] or [CONFIG] * len(metrics)
    records = [
        dataclasses.replace(_record(seed, config), metrics=own)
        for seed, (own, config) in enumerate(zip(metrics, configs, strict=True))
    ]
    found = present_means(summarise_means(read("cloud2025"), CONFIG, records))
    return [list(row) for table in found.tables for row in table.rows], found.conclusion


def test_a_metric_that_the_first_seed_lacks_is_shown() -> None:
    rows, _ = shown({"gain": 1.0}, {"gain": 3.0, "late": 5.0})
    assert [(row[0], row[1], row[-1]) for row in rows] == [("gain", "2", "2"), ("late", "5", "1")]


def test_a_metric_without_a_value_is_empty_and_said() -> None:
    rows, conclusion = shown({"gain": math.nan}, {"gain": math.nan})
    assert (rows[0][1], rows[0][-1], conclusion) == ("", "0", "gain has no finite value.")


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_point_without_a_value_is_no_end_of_the_range(at: int) -> None:
    metrics = [{"gain": 1.0}, {"gain": 2.0}, {"gain": 3.0}]
    metrics[at] = {"gain": math.nan}
    low, high = sorted(value for one in metrics if not math.isnan(value := one["gain"]))
    _, conclusion = shown(*metrics, widths=(1, 2, 3))
    assert conclusion == f"gain lies between {low:.3g} and {high:.3g}, means over 1 seed."


def test_a_protocol_that_measures_nothing_says_so() -> None:
    assert shown({}, {}) == ([], "No trial has a metric.")
