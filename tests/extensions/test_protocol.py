"""A protocol from outside the package goes through run, sweep and results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import subtx_toy as st
from subtx_toy import cli
from subtx_toy.settings.experiment_file import read

ROOT = Path(__file__).parents[2]
FILE = "examples/own_protocol.toml"


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_it_runs_resumes_and_is_shown(tmp_path: Path, workers_here: None) -> None:
    store, said = tmp_path / "results.sqlite", list[str]()
    found = st.run(FILE, seeds=range(5), workers=1, store=store)
    assert "ridge.accuracy" in found.table
    assert min(record.metrics["ridge.accuracy"] for record in found.records) > 0.2  # chance is 0.1
    again = st.run(FILE, seeds=range(5), workers=1, store=store, report=said.append)
    assert said == ["5 of 5 trials are stored already"]
    assert again.to_frame().equals(found.to_frame())
    with pytest.raises(st.InputError, match="the protocol 'ridge' has none"):
        found.plot()


def test_it_is_swept_in_a_process_and_summarised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(tmp_path / "results.sqlite")
    done = st.sweep(FILE, {"penalty": [1, 100], "num_shown": [50, 400]}, seeds=2, workers=1, store=store)
    assert (done.complete, done.tally.done) == (True, 4)
    frame = st.results(FILE, {"penalty": [1, 100], "num_shown": [50, 400]}, store=store)
    assert frame.groupby("num_shown")["ridge.accuracy"].mean().is_monotonic_increasing
    words = ["results", "summary", FILE, "penalty=1,100", "num_shown=50,400", "--store", store, "--json"]
    assert cli.call(words) == cli.OK
    assert len(json.loads(capsys.readouterr().out)["cells"]) == 4


def test_an_edited_file_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").mkdir()
    for name in ("own_protocol.py", "own_protocol.toml"):
        (tmp_path / "examples" / name).write_text((ROOT / "examples" / name).read_text())
    monkeypatch.chdir(tmp_path)
    before = st.preview(FILE, seeds=1, store=tmp_path / "none.sqlite").trials[0].run_id
    with (tmp_path / "examples" / "own_protocol.py").open("a") as file:
        file.write("# edited\n")
    assert st.preview(FILE, seeds=1, store=tmp_path / "none.sqlite").trials[0].run_id != before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('protocol = "nowhere.py:X"', "protocol: expected a Protocol in the file 'nowhere.py', got no such file"),
        ('protocol = "examples/own_protocol.py:NO"', "expected a Protocol named 'NO'"),
        ('protocol = "examples/own_protocol.py:np"', "expected a Protocol at"),
        ('protocol = "examples/own_protocol.py:RIDGE"\n[config]\npenalti = 3', "did you mean 'penalty'?"),
    ],
)
def test_a_wrong_reference_or_setting_is_one_clear_error(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(f'question = "?"\n{text}\n' + ("" if "[config]" in text else "[config]\n"))
    with pytest.raises(st.InputError) as caught:
        read(path)
    assert sentence in str(caught.value)


def test_the_example_is_short() -> None:
    assert len((ROOT / "examples" / "own_protocol.py").read_text().splitlines()) <= 80
