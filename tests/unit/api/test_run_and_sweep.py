"""run, sweep, preview and results from Python: what they return, print and refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

import subtx_toy as st
from subtx_toy.sweep import workers as pools
from tests.faults.sweeping import Here
from tests.reference.annotations import unchecked

SMALL: dict[str, Any] = {
    "num_train": 200,
    "num_test": 100,
    "num_inputs": 200,
    "width": 8,
    "teacher_epochs": 1,
    "student_epochs": 1,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api") / "results.sqlite"


@pytest.fixture(scope="module")
def finished(store: Path) -> st.Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pools, "LocalWorkers", lambda _num: Here())
        return st.run("tiny", seeds=range(2), store=store, **SMALL)


def test_a_run_is_shown_in_at_most_twelve_lines_and_as_html(finished: st.Run) -> None:
    assert len(repr(finished).splitlines()) <= 12
    assert "student_aux" in repr(finished)
    assert finished._repr_html_().count("<tr>") == 7


def test_a_run_is_a_document_a_frame_and_a_figure(finished: st.Run) -> None:
    document = json.loads(json.dumps(finished.document(), allow_nan=False))
    assert (document["experiment"], document["seeds"], document["failed_seeds"]) == ("tiny", [0, 1], [])
    frame = finished.to_frame()
    assert frame["student_aux.accuracy"].tolist() == document["arms"]["student_aux"]["values"]
    assert isinstance(finished.plot(), Figure)


def test_what_is_stored_is_not_run_again(finished: st.Run, store: Path) -> None:
    said: list[str] = []
    again = st.run("tiny", seeds="0:2", store=store, report=said.append, **SMALL)
    assert said == ["2 of 2 trials are stored already"]
    assert [one.metrics for one in again.records] == [one.metrics for one in finished.records]


@pytest.mark.parametrize(
    "wrong",
    [{"until": "ci95<0"}, {"halving": 1}, {"until": "ci95<.1", "halving": 2}, {"until": "ci95<.1", "seeds": [0]}],
)
def test_a_preview_refuses_what_the_sweep_would(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(st.InputError, match=r"^(until|halving|shard): expected"):
        st.preview("tiny", **{"seeds": range(6), **wrong}, store=tmp_path / "none.sqlite")


def test_a_sweep_shares_the_store_and_can_be_previewed(finished: st.Run, store: Path) -> None:
    changed = {name: [value] for name, value in SMALL.items()} | {"width": [4, 8]}
    listed = st.preview("tiny", changed, seeds=range(2), store=store, workers=2)
    assert (listed.num_to_run, listed.document()["done"]) == (2, 2)
    done = st.sweep("tiny", changed, seeds=range(2), store=store, workers=1)
    assert (done.complete, done.tally.stored, done.tally.done) == (True, 2, 2)
    assert len(repr(done).splitlines()) <= 12
    assert sorted(done.to_frame()["width"]) == [4, 4, 8, 8]
    assert len(st.results("tiny", changed, seeds=0, store=store)) == 2


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import subtx_toy as st\nprint('started')\n"
        f"st.run('tiny', seeds=range(2), workers=1, store={str(tmp_path / 'r.sqlite')!r}, **{SMALL!r})\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: st.run("tinny"), "did you mean 'tiny'?"),
        (lambda: st.run("tiny", widht=3), "widht: unknown key; did you mean 'width'?"),
        (lambda: st.run("tiny", num_aux=[3, 10]), "got several; for several, use `subtx-toy sweep tiny num_aux=3,10`"),
        (lambda: st.run("tiny", num_aux="3,10"), "num_aux: expected one value, got several"),
        (lambda: st.run(3), "experiment: expected a name or the path of a .toml file, got 3"),  # type: ignore[arg-type]
        (lambda: st.run("tiny", seeds=[-1]), "seeds: expected integers >= 0"),
        (lambda: st.run("tiny", seeds=[]), "seeds: expected at least one, got none"),
        (lambda: st.run("tiny", seeds=[1, 1]), "seeds: expected each seed once"),
        (lambda: st.run("tiny", workers=0), "workers: expected an integer from 1 to 1024, got 0"),
        (lambda: st.run("tiny", store=3), "store: expected a path, got int"),  # type: ignore[arg-type]
        (lambda: st.sweep("tiny", {"widht": [3]}), "widht: unknown key; did you mean 'width'?"),
        (lambda: st.sweep("tiny", {"width": []}), "width: expected at least one value, got none"),
        (lambda: st.sweep("tiny", {("lr", "width"): [(1e-3,)]}), "lr, width: expected rows of 2 values"),
        (lambda: st.results("tiny", store="none.sqlite"), "expected a results database, got none"),
    ],
)
def test_a_wrong_argument_is_one_clear_error(call: Callable[[], object], sentence: str) -> None:
    with unchecked(), pytest.raises(st.InputError) as caught:
        call()
    assert sentence in str(caught.value)


def test_all_faults_of_a_run_come_at_once() -> None:
    with pytest.raises(st.InputError) as caught:
        st.run("tiny", widht=3, lr=-1, seeds="x")
    assert len(caught.value.problems) == 3
