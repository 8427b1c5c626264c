"""Committed results are read back as what they were, and their tables say what they say."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from scipy import stats

from paper_figs.tables import comparison_tables as check_table
from paper_figs.tables import precision_table
from paper_figs.tables.comparison_tables import insert, read_checked, tables
from paper_figs.tables.exported import read_sweep, read_trials
from subtx_toy.errors import InputError
from subtx_toy.results.comparison import Comparison
from subtx_toy.settings import experiment_file as definition
from subtx_toy.settings.base import run_id
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.stats import Estimate

START, END = "<!-- check table -->", "<!-- end of the check table -->"
SHA = "ab" * 32


def _row(config: RunConfig, seed: int, accuracy: float) -> dict[str, object]:
    key = run_id(config, seed=seed, dataset_sha256=SHA)
    return {
        "run_id": key,
        "protocol": "distillation",
        "seed": seed,
        "dataset_sha256": SHA,
        **config.model_dump(),
        "student_aux.accuracy": accuracy,
        "teacher.accuracy": 0.94,
    }


def _write(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _sweep() -> DistillationSweep:
    found = definition.read("loss")
    assert isinstance(found, DistillationSweep)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    configs = [config for config in _sweep().configs() if isinstance(config, RunConfig)]
    rows = [_row(config, seed, 0.4 + 0.01 * seed) for config in configs for seed in range(5)]
    _write(tmp_path / "loss.csv", rows)
    return tmp_path


def test_a_committed_sweep_is_read_back_as_what_it_was(folder: Path) -> None:
    findings = read_trials(folder / "loss.csv")
    assert {finding.config for finding in findings} == set(_sweep().configs())
    assert findings[1].seed == 1
    assert findings[1].metrics == {"student_aux.accuracy": 0.4 + 0.01, "teacher.accuracy": 0.94}


def test_a_column_newer_than_the_file_is_at_its_default(tmp_path: Path) -> None:
    row = _row(RunConfig(width=64), 3, 0.5)
    del row["probe"]
    (finding,) = read_trials(_write(tmp_path / "x.csv", [row]))
    assert finding.config == RunConfig(width=64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 65}, "run_id: expected"),
        ({"seed": 4}, "run_id: expected"),
        ({"width": "wide"}, "width: expected an integer >= 1, got 'wide'"),
    ],
)
def test_a_row_that_was_changed_is_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", [_row(RunConfig(width=64), 3, 0.5) | change])
    with pytest.raises(InputError) as caught:
        read_trials(path)
    assert message in "\n".join(caught.value.problems)
    assert "trial 1" in caught.value.problems[0]


def test_results_of_another_version_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subtx_toy.settings.base.RESULTS_VERSION", 0)
    with pytest.raises(InputError, match="run_id: expected"):
        read_trials(folder / "loss.csv")


def test_a_file_without_keys_or_none_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a column run_id, got none"):
        read_trials(_write(tmp_path / "x.csv", [{"seed": 1}]))
    with pytest.raises(InputError, match="cannot be read"):
        read_trials(tmp_path / "none.csv")


def test_the_tables_hold_every_value_and_its_verdict(folder: Path) -> None:
    text = tables(read_checked(folder))
    assert "| `loss` | 5 | 3 | " in text
    assert "| `loss` | loss=kl temperature=1.0 | student_aux | 0.451 ± 0.032 | 0.420 ± 0.020 | 5 | " in text
    assert text.count("\n| `loss` | ") == 4
    assert "| 0.03 | 0 | 3 | 2 |" in text  # none is equivalent within .03, and two of three models could not be


@pytest.mark.parametrize("lent", [False, True])
def test_with_endless_seeds_the_published_error_alone_is_left(lent: bool) -> None:
    ours = Estimate(0.5, 0.02, 25)
    error = ours.standard_error * math.sqrt(25 / 3) if lent else 0.037
    row = Comparison(
        metric="student_aux.accuracy",
        values=(),
        ours=ours,
        theirs=Estimate(0.6, error, 3),
        standard_errors=1.0,
        p_value=1.0,
        verdict="agrees",
        lent=lent,
    )
    quantile = stats.norm.ppf(0.95) if lent else stats.t.ppf(0.95, 2)
    assert check_table.least_margin(row) == pytest.approx(quantile * error, rel=1e-6)


def test_tables_are_put_between_the_marks_and_stay_the_same_when_put_again(folder: Path) -> None:
    page = insert(f"before\n{START}\nold\n{END}\nafter\n", read_checked(folder))
    assert page.startswith("before\n")
    assert page.endswith(f"{END}\nafter\n")
    assert "old" not in page
    assert insert(page, read_checked(folder)) == page
    with pytest.raises(ValueError, match="expected the marks"):
        insert("no marks", read_checked(folder))


def test_a_sweep_without_results_is_left_out(tmp_path: Path) -> None:
    assert read_checked(tmp_path) == {}
    assert check_table.tables({}).count("\n| `") == 0


def _in_both(folder: Path, *, apart: float) -> None:
    configs = [config for config in _sweep().configs() if isinstance(config, RunConfig)]
    _write(
        folder / "loss.csv",
        [
            _row(config.model_copy(update={"precision": "bf16"}), seed, 0.4 + 0.01 * seed + apart)
            for config in configs
            for seed in range(7)
        ],
    )
    (folder / "fp32").mkdir()
    rows = [_row(config, seed, 0.4 + 0.01 * seed) for config in configs for seed in range(5)]
    _write(folder / "fp32" / "loss.csv", rows[:-1])  # one point lacks a seed


def test_trials_of_both_precisions_are_paired_by_seed(tmp_path: Path) -> None:
    _in_both(tmp_path, apart=0.02)
    page = precision_table.insert("<!-- precision table -->\n<!-- end of the precision table -->", tmp_path)
    assert "| `loss` | 5 | 2 | +0.0200 ± 0.0000 | +0.020 |" in page


def test_trials_in_bfloat16_stand_for_the_point_of_their_experiment(tmp_path: Path) -> None:
    _in_both(tmp_path, apart=0.0)
    _, rows = read_checked(tmp_path)["loss"]
    assert {row.ours.n for row in rows} == {7}
    assert {trial.config.precision for trial in read_sweep(tmp_path / "loss.csv")} == {"fp32"}
    assert {trial.config.precision for trial in read_trials(tmp_path / "loss.csv")} == {"bf16"}
