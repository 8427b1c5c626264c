"""A quick run shows what the full experiment shows: the same comparisons hold, within a seed, beyond their interval."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import subtx_toy as st
from experiments.studies.quick_shown import CONTROL, EXPERIMENTS, SHOWN, Above, Margins, Trials, base_of, gaps, margins
from paper_figs.tables.exported import read_sweep, read_trials
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.packaged import names
from subtx_toy.tolerances import MIN_SEEDS

ROOT = Path(__file__).parents[3]


def _hold(found: Margins) -> None:
    """Fail unless every comparison holds."""
    failing = {text: margin for text, margin in found.items() if not margin > 0}
    assert not failing, failing


def test_every_experiment_says_what_it_shows_and_has_five_quick_seeds() -> None:
    assert set(names()) == EXPERIMENTS
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
    for folder in ("sweeps", "many-steps", "mechanism")
    for path in sorted((ROOT / "docs/results" / folder).glob("*.csv"))
    if path.stem in SHOWN
}
"""The committed trials of full runs."""


@pytest.mark.parametrize("name", FULL)
def test_the_full_runs_show_it(name: str) -> None:
    definition = read(name)
    assert isinstance(definition.config, RunConfig)
    path = FULL[name]
    findings = read_sweep(path) if path.parent.name == "sweeps" else read_trials(path, type(definition.config))
    trials = [(one.config.model_dump(), one.seed, dict(one.metrics)) for one in findings]
    recorded = {metric for _, _, metrics in trials for metric in metrics}  # most full sweeps trained no controls
    shown = [one for one in SHOWN[name] if {one.metric, one.than or one.metric} <= recorded]
    _hold(gaps(shown, trials, base_of(definition)))


def test_a_planted_reversal_is_found() -> None:
    trials: Trials = [({"width": w}, seed, {"student_aux.accuracy": w / 100}) for w in (8, 16) for seed in range(5)]
    _hold(gaps([Above({"width": 16}, {"width": 8})], trials, {}))
    with pytest.raises(AssertionError, match="width"):
        _hold(gaps([Above({"width": 8}, {"width": 16})], trials, {}))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_a_quick_run_shows_what_the_full_one_shows(name: str, tmp_path: Path) -> None:
    _hold(margins(name, st.run(name, quick=True, store=tmp_path / "r.sqlite")))


def test_the_page_states_in_how_many_tries_a_quick_run_showed_its_point() -> None:
    tried = json.loads((ROOT / "docs/results/quick-tries.json").read_text(encoding="utf-8"))
    assert set(tried) == EXPERIMENTS
    page = (ROOT / "experiments/README.md").read_text(encoding="utf-8").partition("<!-- quick tries -->")[2]
    stated = {
        name: (int(shown), int(tries))
        for shown, tries, listed in re.findall(r"^\| (\d+) of (\d+) tries \| (.*) \|$", page, flags=re.MULTILINE)
        for name in re.findall(r"`([\w-]+)`", listed)
    }
    assert stated == {name: (row["shown"], row["tries"]) for name, row in tried.items()}


def test_in_every_try_the_student_is_above_the_cross_student() -> None:
    tried = json.loads((ROOT / "docs/results/quick-tries.json").read_text(encoding="utf-8"))
    control = "student_aux.accuracy above cross_aux.accuracy"
    margins_seen = {
        name: row["smallest_margin"][control] for name, row in tried.items() if control in row["smallest_margin"]
    }
    assert len(margins_seen) >= 20
    assert min(margins_seen.values()) > 0
