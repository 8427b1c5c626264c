"""Verdicts on the points of a sweep, on values made to agree and to differ."""

from __future__ import annotations

import math

import numpy as np
import pytest

from subtx_toy.results.comparison import TrialMetrics, compare_sweep
from subtx_toy.seeding import generator
from subtx_toy.settings import experiment_file as definition
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.published import full_name

_READ = definition.read("width")
assert isinstance(_READ, DistillationSweep)
WIDTH = _READ
assert WIDTH.published is not None
POINTS = WIDTH.published.points
NUM_VALUES = sum(len(point.values) for point in POINTS)


def _findings(shift: float, n: int) -> list[TrialMetrics]:
    noise = generator(0, "test", "sweep comparison").standard_normal(n) * 0.001
    noise -= noise.mean()
    found = []
    for point in POINTS:
        config = WIDTH.point(point.at)
        assert isinstance(config, RunConfig)
        for seed in range(n):
            metrics = {full_name(name): value[0] + shift + float(noise[seed]) for name, value in point.values.items()}
            found.append(TrialMetrics(config, seed, metrics))
    return found


def test_the_published_values_agree_with_themselves() -> None:
    rows = compare_sweep(WIDTH, _findings(0.0, 6))
    assert [row.verdict for row in rows] == ["agrees"] * NUM_VALUES
    np.testing.assert_allclose([row.standard_errors for row in rows], 0, atol=1e-6)


def test_a_shift_of_a_tenth_differs_at_every_point() -> None:
    rows = compare_sweep(WIDTH, _findings(0.1, 10))
    assert {row.verdict for row in rows} == {"differs"}
    assert min(row.standard_errors for row in rows) > 0


def test_one_point_that_is_off_is_the_one_that_differs() -> None:
    findings = _findings(0.0, 10)
    off = [one._replace(metrics={k: v + 0.2 for k, v in one.metrics.items()}) for one in findings[:10]]
    rows = compare_sweep(WIDTH, off + findings[10:])
    assert {row.at["width"] for row in rows if row.verdict == "differs"} == {findings[0].config.width}


def test_a_metric_without_a_value_diverged_only_if_its_arm_did() -> None:
    name = full_name("student_aux")
    for lost, verdict, counts in (
        ({}, "not defined", (6, 0)),
        ({"student_aux.diverged_epoch": 2.0}, "diverged", (0, 6)),
    ):
        findings = [one._replace(metrics={**one.metrics, name: math.nan, **lost}) for one in _findings(0.0, 6)]
        rows = [row for row in compare_sweep(WIDTH, findings) if row.metric == name]
        assert {(row.verdict, row.undefined, row.diverged) for row in rows} == {(verdict, *counts)}


def test_few_seeds_get_no_verdict() -> None:
    assert {row.verdict for row in compare_sweep(WIDTH, _findings(0.3, 4))} == {"needs 5 seeds"}


def test_the_order_of_the_findings_changes_no_row() -> None:
    findings = _findings(0.01, 5)
    rows = compare_sweep(WIDTH, findings)
    shuffled = [findings[at] for at in generator(1, "test", "order").permutation(len(findings))]
    assert {row.metric + str(dict(row.at)): row.values for row in compare_sweep(WIDTH, shuffled)} == {
        row.metric + str(dict(row.at)): row.values for row in rows
    }


def test_changed_settings_leave_nothing_to_compare_with() -> None:
    base = WIDTH.config.override(["dataset=glyphs"])
    rows = compare_sweep(
        WIDTH, [TrialMetrics(base, 0, {"teacher.accuracy": 0.9, "student_aux.accuracy": 0.3})], base=base
    )
    assert [(row.metric, row.verdict, row.at) for row in rows] == [("student_aux.accuracy", "nothing published", {})]
    assert math.isnan(rows[0].p_value)


def test_values_of_fewer_runs_are_compared_by_their_own_number() -> None:
    sweep = definition.read("maximise")
    assert isinstance(sweep, DistillationSweep)
    metrics = {"student_aux.accuracy": 0.9, "teacher.accuracy": 0.945, "cross_aux.accuracy": 0.1}
    (config,) = sweep.configs()
    assert isinstance(config, RunConfig)
    rows = compare_sweep(sweep, [TrialMetrics(config, seed, metrics) for seed in range(2)])
    assert [row.theirs.n for row in rows if row.theirs is not None] == [5, 3, 3]


def test_a_point_without_published_values_shows_its_student() -> None:
    config = WIDTH.config.override(["width=96"])
    (row,) = compare_sweep(WIDTH, [TrialMetrics(config, 0, {"teacher.accuracy": 0.9, "student_aux.accuracy": 0.3})])
    assert (row.metric, row.values, row.verdict) == ("student_aux.accuracy", (0.3,), "nothing published")


@pytest.mark.parametrize("name", ["loss", "squared-error-gap", "shuffled-pixels"])
def test_other_packaged_sweeps_can_be_compared(name: str) -> None:
    sweep = definition.read(name)
    assert isinstance(sweep, DistillationSweep)
    findings = [
        TrialMetrics(config, seed, {"student_aux.accuracy": 0.3, "teacher.accuracy": 0.9})
        for config in sweep.configs()
        if isinstance(config, RunConfig)
        for seed in range(5)
    ]
    rows = compare_sweep(sweep, findings)
    assert len(rows) >= len(sweep.configs())
