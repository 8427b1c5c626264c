"""``subtx-toy results failed, best, compare, plot, export, delete, archive and merge`` as a user types them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from subtx_toy import cli
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store import Store
from subtx_toy.sweep.plan import Plan
from tests.unit.store.test_merging import _fail
from tests.unit.store.test_schema import _record


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUBTX_TOY_STORE", "r.sqlite")
    records = []
    for width in (16, 32):
        for lr in (1e-3, 1e-2):
            config = RunConfig(dataset="glyphs", width=width, lr=lr, num_test=200)
            for seed in range(5):
                metrics = {"student_aux.accuracy": 0.2 + width / 100 + 10 * lr + seed / 100, "teacher.accuracy": 0.9}
                series = {"student_aux.accuracy": [0.1, metrics["student_aux.accuracy"]]}
                records.append(dataclasses.replace(_record(seed, config), metrics=metrics, series=series))
    with Store("r.sqlite") as store:
        store.add_all(records)


def _call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.call(["results", *words])
    out, err = capsys.readouterr()
    return code, out, err


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code, out, err = _call(capsys, *words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_cells_are_selected_sorted_and_printed_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = _call(capsys, "summary", "--where", "width > 16", "--sort", "-mean", "--csv")
    header, first, second = out.splitlines()
    assert header.startswith("lr,metric,n,mean,ci95,low,high")
    assert first.startswith("0.01,")
    assert second.startswith("0.001,")
    _, out, _ = _call(capsys, "summary", "--jsonl", "--sort", "width")
    assert [json.loads(line)["width"] for line in out.splitlines()] == [16, 16, 32, 32]
    code, _, err = _call(capsys, "summary", "--sort", "widht")
    assert code == 2
    assert "did you mean 'width'" in err


def test_the_best_cell_is_said_to_be_too_good(capsys: pytest.CaptureFixture[str]) -> None:
    found = _json(capsys, "best", "--top", "1")
    assert found["best"][0]["axes"] == {"width": 32, "lr": 0.01}
    assert "too good on average" in found["conclusion"]
    assert _json(capsys, "best", "--lowest")["best"][0]["axes"] == {"width": 16, "lr": 0.001}


def test_groups_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    found = _json(capsys, "compare", "lr == .001", "lr == .01")
    assert [(row["at"], row["paired"], row["verdict"]) for row in found["rows"]] == [
        ({"width": 16}, True, "second is higher"), ({"width": 32}, True, "second is higher"),
    ]  # fmt: skip
    assert found["rows"][0]["difference"] == pytest.approx(0.09)
    assert _json(capsys, "compare", "width == 16", "width == 32")["rows"][0]["paired"] is False
    code, _, err = _call(capsys, "compare", "width == 17", "width == 32")
    assert code == 2
    assert "first: expected stored trials, got none" in err
    assert "there is no file 'gone.sqlite'" in _call(capsys, "compare", "gone.sqlite", "width == 32")[2]
    code, _, err = _call(capsys, "compare", "width == 16", "width in [16, 32]")
    assert code == 0
    assert "in both groups: 10 trials, which cannot differ" in err


@pytest.mark.parametrize("words", [[], ["--x", "lr", "--by", "width"], ["--heat"], ["--parallel"]])
def test_figures_are_drawn(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    found = _json(capsys, "plot", "--out", "p.svg", *words)
    assert Path("p.svg").stat().st_size > 2000
    assert len(found["cells"]) == 4
    assert set(found["importance"]) == {"width", "lr"}


def test_a_published_point_is_drawn_where_it_is_of_the_same_settings(capsys: pytest.CaptureFixture[str]) -> None:
    from subtx_toy.settings.experiment_file import read

    definition: Any = read("num-aux")
    configs = [definition.point(point.at) for point in definition.published.points][:3]
    with Store("p.sqlite") as store:
        store.add_all([_record(seed, config) for config in configs for seed in range(2)])
    found = _json(capsys, "plot", "num-aux", "--out", "p.svg", "--store", "p.sqlite")
    assert [one["at"] for one in found["published"]] == [config.num_aux for config in configs]


def test_a_plan_in_a_file_chooses_the_trials_of_a_figure_and_of_a_comparison(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("plan.toml").write_text('experiment = "tiny"\n[axes]\nwidth = [16, 32]\nnum_aux = [3]\n')
    configs = [one for one in Plan.read("plan.toml").configs if isinstance(one, RunConfig)]
    with Store("plan.sqlite") as store:
        store.add_all([_record(seed, config) for config in configs for seed in range(2)])
    for words in ([], ["--parallel"]):
        assert len(_json(capsys, "plot", "plan.toml", "--out", "p.svg", "--store", "plan.sqlite", *words)["cells"]) == 2
    found = _json(
        capsys, "compare", "width == 16", "width == 32", "--experiment", "plan.toml", "--store", "plan.sqlite"
    )
    assert len(found["rows"]) == 1


def test_rows_and_curves_go_to_files_and_to_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = _call(capsys, "export", "-", "--where", "seed == 3", "--metric", "teacher.accuracy")
    assert "teacher.accuracy" in out.splitlines()[0]
    assert "student_aux.accuracy" not in out
    _, out, _ = _call(capsys, "export", "-", "--format", "jsonl", "--curves", "--where", "seed == 3 and width == 16")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["lr"], row["series"], row["step"]) for row in rows[:2]] == [
        (0.001, "student_aux.accuracy", 0), (0.001, "student_aux.accuracy", 1),
    ]  # fmt: skip
    assert _call(capsys, "export", "x.jsonl")[0] == 0
    assert len(Path("x.jsonl").read_text().splitlines()) == 20
    code, _, err = _call(capsys, "export", "-", "--curves", "--metric", "loss")
    assert code == 2
    assert "expected one of the curves student_aux.accuracy" in err


def test_failed_trials_are_listed_with_cause_and_signal(capsys: pytest.CaptureFixture[str]) -> None:
    assert _call(capsys, "failed")[1] == "no trial has failed\n"
    key = _fail(Path("r.sqlite"), 9, "the worker died of signal 11 (SIGSEGV)")
    (row,) = _json(capsys, "failed")["failed"]
    assert (row["run_id"], row["signal"], row["seed"], row["config"]) == (key, 11, 9, {"width": 8})
    _, out, _ = _call(capsys, "failed", "--lines", "2")
    assert out.startswith("1 trial failed.")
    assert "signal 11" in out
    assert "1 trial of tiny would be deleted for good" in _call(capsys, "delete", "--failed")[2]
    assert _call(capsys, "delete", "--failed", "--yes")[1] == "1 trial deleted\n"
    assert _json(capsys, "failed")["failed"] == []


def test_deleting_asks_and_archiving_moves(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _call(capsys, "delete", "--where", "width == 16")
    assert code == 2
    assert "10 trials would be deleted for good" in err
    assert _call(capsys, "delete", "--yes")[0] == 2  # nothing named: nothing deleted
    assert _call(capsys, "archive", "old.sqlite", "--yes")[2].startswith("error: archive: expected")
    for trap in ("width != '16'", "width"):  # a slip that would hold of every trial
        assert _call(capsys, "delete", "--where", trap, "--yes")[0] == 2
    assert _call(capsys, "archive", "old.sqlite", "--where", "width == 16", "--yes")[0] == 0
    with Store("r.sqlite") as store, Store("old.sqlite") as old:
        assert (store.count(), old.count()) == (10, 10)
    found = _json(capsys, "merge", "old.sqlite")
    assert (found["added"], found["equal"]) == (10, 0)
    assert _json(capsys, "merge", "old.sqlite", "r.sqlite", "--into", "new.sqlite")["added"] == 20
