"""A quick run shows what the full experiment shows: the same comparisons hold, within a seed, beyond their interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import subtx_toy as st
from paper_figs.tables.exported import read_trials
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.packaged import names
from subtx_toy.stats import estimate
from subtx_toy.tolerances import MIN_SEEDS

ROOT = Path(__file__).parents[3]


class Above(NamedTuple):
    """At the settings ``high`` the metric is above that at ``low``, or above ``than`` at the same settings."""

    high: dict[str, Any]
    low: dict[str, Any]
    metric: str = "student_aux.accuracy"
    than: str = ""


CONTROL = Above({}, {}, than="cross_aux.accuracy")
"""The student with the teacher's initialisation is above the one with another."""

SHOWN: dict[str, list[Above]] = {
    "batch": [CONTROL, Above({"batch_size": "smallest"}, {"batch_size": "largest"})],
    "blur": [CONTROL, Above({"noise_blur": 1.0}, {"noise_blur": 0.0})],
    "cloud2025": [CONTROL, Above({}, {}, "student_all.accuracy", "cross_all.accuracy")],
    "distill-epochs": [CONTROL, Above({"student_epochs": 10}, {"student_epochs": 1})],
    "image-noise": [Above({"inputs": "uniform"}, {"added_noise": 0.0, "inputs": "images"})],
    "init-noise": [CONTROL, Above({"student_noise": 0.0}, {"student_noise": 0.1})],
    "init-noise-relative": [Above({"student_noise": "smallest", "student_noise_layers": "all"},
                                  {"student_noise": "largest", "student_noise_layers": "all"})],
    "init-scale": [CONTROL, Above({"init_scale": 1.0}, {"init_scale": 4.0})],
    "inputs": [CONTROL, Above({"inputs": "uniform"}, {"inputs": "images"})],
    "lazy-rich": [Above({"output_scale": "largest"}, {"output_scale": "smallest"})],
    "linear-width": [Above({"linearized": "both", "width": "smallest"},
                           {"linearized": "student", "width": "smallest"})],
    "linearized": [Above({"linearized": "both"}, {"linearized": "student"})],
    "loss": [CONTROL],
    "lr": [CONTROL, Above({"lr": "middle"}, {"lr": "largest"})],
    "maximise": [CONTROL],
    "noise-subspace": [Above({"noise_dim": 784}, {"noise_dim": 784}, than="cross_aux.accuracy"),
                       Above({"noise_dim": 784}, {"noise_dim": 10})],
    "num-aux": [CONTROL, Above({"num_aux": 126}, {"num_aux": 1})],
    "num-aux-images": [CONTROL, Above({"num_aux": 126}, {"num_aux": 3})],
    "precision": [CONTROL],
    "probe": [CONTROL, Above({}, {}, "student_aux.probe_accuracy", "student_aux.accuracy")],
    "shuffled-pixels": [CONTROL, Above({"inputs": "uniform"}, {"inputs": "shuffled_images"})],
    "squared-error-gap": [CONTROL],
    "teacher-epochs": [CONTROL],
    "tiny": [CONTROL],
    "weight-decay": [Above({"weight_decay": 0.0}, {"weight_decay": 0.001, "loss_scale": 0.04, "optimizer": "adam"})],
    "width": [CONTROL],
}  # fmt: skip
"""By experiment of the reference protocol. ``smallest``, ``middle`` and ``largest`` are of the values that were run."""

Trials = list[tuple[dict[str, Any], int, dict[str, float]]]  # settings, seed, metrics


def _values(trials: Trials, at: dict[str, Any], metric: str, base: dict[str, Any]) -> np.ndarray:
    wanted = dict(base)
    for name, value in at.items():
        found = sorted({settings[name] for settings, _, _ in trials})
        places = {"smallest": 0, "middle": len(found) // 2, "largest": -1}
        wanted[name] = found[places[value]] if value in places else value
    rows = {seed: metrics[metric] for settings, seed, metrics in trials
            if all(settings[name] == value for name, value in wanted.items())}  # fmt: skip
    assert len(rows) >= MIN_SEEDS, f"{at}: {len(rows)} seeds"
    return np.array([rows[seed] for seed in sorted(rows)])


def _hold(shown: list[Above], trials: Trials, base: dict[str, Any]) -> None:
    """Fail unless every comparison holds, with the settings that it does not name as in ``base``."""
    for one in shown:
        free = {name: value for name, value in base.items() if name not in {*one.high, *one.low}}
        high = _values(trials, one.high, one.metric, free)
        low = _values(trials, one.low, one.than or one.metric, free)
        gap = estimate((high - low).tolist())
        assert gap.interval.low > 0, f"{one}: {gap.mean:+.3f} ± {gap.ci95:.3f}"


def _quick(name: str, store: Path) -> Any:
    return st.run(name, quick=True, store=store)


def _trials(run: Any) -> Trials:
    return [(one.config, one.seed, one.metrics) for one in run.records]


def test_every_experiment_says_what_it_shows_and_has_five_quick_seeds() -> None:
    assert set(SHOWN) == set(names()) - {"many-steps", "numbers", "one-step", "owl", "predictors", "thresholds"}
    for name in names():
        definition = read(name)
        assert definition.quick is not None
        assert len(range(*map(int, definition.quick.seeds.split(":")))) >= MIN_SEEDS
        drawn = "words" if name == "owl" else "glyphs"
        assert {config.dataset for config in definition.quickened().configs()} == {drawn}


@pytest.mark.parametrize("name", sorted(name for name, shown in SHOWN.items() if CONTROL in shown))
def test_the_control_stands_at_a_point_of_the_quick_grid(name: str) -> None:
    quick = read(name).quickened()
    assert quick.config in quick.configs()


def test_quick_settings_leave_the_full_ones_alone() -> None:
    for name in names():
        definition = read(name)
        assert definition.model_copy(update={"quick": None}).configs() == definition.configs()
        assert not set(map(repr, definition.configs())) & set(map(repr, definition.quickened().configs()))


FULL = {
    path.stem: path
    for folder in ("sweeps", "many-steps")
    for path in sorted((ROOT / "docs/results" / folder).glob("*.csv"))
    if path.stem in SHOWN
}
"""The committed trials of full runs."""


@pytest.mark.parametrize("name", FULL)
def test_the_full_runs_show_it(name: str) -> None:
    definition = read(name)
    findings = read_trials(FULL[name])
    trials = [(one.config.model_dump(), one.seed, dict(one.metrics)) for one in findings]
    shown = [one for one in SHOWN[name] if not one.than]  # the full sweeps trained no controls
    varied = {key for table in definition.grid for key in table}
    _hold(shown, trials, {key: value for key, value in definition.config.model_dump().items() if key in varied})


def test_a_planted_reversal_is_found() -> None:
    trials: Trials = [({"width": w}, seed, {"student_aux.accuracy": w / 100}) for w in (8, 16) for seed in range(5)]
    _hold([Above({"width": 16}, {"width": 8})], trials, {})
    with pytest.raises(AssertionError, match="width"):
        _hold([Above({"width": 8}, {"width": 16})], trials, {})


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SHOWN))
def test_a_quick_run_shows_what_the_full_one_shows(name: str, tmp_path: Path) -> None:
    definition = read(name).quickened()
    varied = {key for table in definition.grid for key in table}
    base = {key: value for key, value in definition.config.model_dump().items() if key in varied}
    _hold(SHOWN[name], _trials(_quick(name, tmp_path / "r.sqlite")), base)


@pytest.mark.slow
def test_a_quick_run_of_one_step_shows_the_theorem(tmp_path: Path) -> None:
    starts = {one["student_init"]: one for one in _quick("one-step", tmp_path / "r.sqlite").document()["starts"]}
    assert np.min(starts["shared"]["values"]["alignment"]) > 0
    assert starts["shared"]["order_of_alignment"] == pytest.approx(1, abs=0.02)
    assert np.min(starts["cross"]["values"]["alignment"]) < 0


@pytest.mark.slow
def test_a_quick_run_of_thresholds_shows_them_where_the_error_polynomials_have_them(tmp_path: Path) -> None:
    away = {(one["optimizer"], one["momentum"], one["student_step"]): one["num_away"]
            for one in _quick("thresholds", tmp_path / "r.sqlite").document()["students"]}  # fmt: skip
    assert away == {("heavy_ball", 0.5, 2.4): 0, ("heavy_ball", 0.5, 2.6): 5, ("heavy_ball", 0.9, 1.4): 0,
                    ("heavy_ball", 0.9, 1.6): 5, ("nesterov", 0.9, 1.2): 0, ("nesterov", 0.9, 1.3): 5}  # fmt: skip


@pytest.mark.slow
def test_a_quick_run_of_many_steps_shows_who_points_away(tmp_path: Path) -> None:
    for one in _quick("many-steps", tmp_path / "r.sqlite").document()["students"]:
        if one["optimizer"] in ("gd", "heavy_ball", "nesterov"):
            assert one["num_away"] == 0
        if (one["optimizer"], one["student_step"]) == ("adam", 1.0):
            assert one["num_away"] == 5


@pytest.mark.slow
def test_a_quick_run_of_predictors_shows_that_coverage_ranks_the_settings(tmp_path: Path) -> None:
    rho = {one["name"]: one["rho"] for one in _quick("predictors", tmp_path / "r.sqlite").document()["predictors"]}
    assert rho["sign_coverage"] > 0.5
    assert rho["coverage"] > 0.5


@pytest.mark.slow
def test_a_quick_run_of_the_numbers_channel_shows_the_trait(tmp_path: Path) -> None:
    arms = _quick("numbers", tmp_path / "r.sqlite").document()["prompts"]["images"]
    assert arms["shared_trait"]["verdict"] == "carries the trait"
    assert {arms[name]["verdict"] for name in ("shared_benign", "shared_untrained")} == {"not above its base"}
