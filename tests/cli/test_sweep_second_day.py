"""Parts, looks, halving, names and following: the second day of a sweep, as a user types it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from subtx_toy import cli
from subtx_toy.store import Store
from subtx_toy.sweep.plan import Plan

WORDS = ("tiny", "width=8,16", "num_train=100", "num_inputs=100", "num_test=50")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUBTX_TOY_STORE", "r.sqlite")


def _call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.call(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def _json(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    found, out, err = _call(capsys, *words, "--json")
    assert found == code, err
    return json.loads(out)


def test_parts_put_together_are_the_sweep_bit_by_bit(capsys: pytest.CaptureFixture[str], workers_here: None) -> None:
    for part in ("1/3", "2/3", "3/3"):
        found = _json(capsys, "sweep", *WORDS, "--seeds", "0:2", "--shard", part, "--store", f"{part[0]}.sqlite")
        assert found["trials"] in (1, 2)
    _json(capsys, "sweep", *WORDS, "--seeds", "0:2")
    merged = _json(capsys, "results", "merge", "1.sqlite", "2.sqlite", "3.sqlite", "--into", "all.sqlite")
    assert merged["added"] == 4
    assert _json(capsys, "results", "merge", "all.sqlite") == {
        "added": 0, "equal": 4, "failed": 0, "sources": {"all.sqlite": {"added": 0, "equal": 4, "failed": 0}},
    }  # fmt: skip


def test_a_named_sweep_goes_on_by_its_name(capsys: pytest.CaptureFixture[str], workers_here: None) -> None:
    named = ("--name", "wide", "--tag", "a", "--note", "first try")
    _json(capsys, "sweep", *WORDS, "--seeds", "0:1", *named)
    with Store("r.sqlite") as store:
        store.connection.sqlite.execute("DELETE FROM series")
        store.connection.sqlite.execute("DELETE FROM results")
        store.connection.sqlite.execute("DELETE FROM runs")
    assert _json(capsys, "sweep", "--resume", "wide")["done"] == 2
    (found,) = _json(capsys, "results", "list")["sweeps"]
    assert (found["name"], found["tags"], found["note"]) == ("wide", ["a"], "first try")
    _, out, _ = _call(capsys, "sweep", "--resume", "wide")
    (summary,) = re.findall("^see the results by: subtx-toy (.*)$", out, flags=re.MULTILINE)
    assert [cell["n"] for cell in _json(capsys, *shlex.split(summary))["cells"]] == [1, 1]
    code, _, err = _call(capsys, "sweep", "--resume", "wode")
    assert code == 2
    assert "did you mean 'wide'" in err
    code, _, err = _call(capsys, "sweep", "tiny", "width=8", "--seeds", "0:1", "--name", "wide")
    assert code == 2
    assert "name: 'wide' is another sweep of this store" in err
    code, _, err = _call(capsys, "sweep", "tiny", "--tag", "a")
    assert code == 2
    assert "name: expected one" in err


def test_a_dry_run_says_what_is_new(capsys: pytest.CaptureFixture[str], workers_here: None) -> None:
    _json(capsys, "sweep", *WORDS, "--seeds", "0:1")
    more = ("tiny", "width=8,16,24", *WORDS[2:])
    _, out, _ = _call(capsys, "sweep", *more, "--seeds", "0:1", "--dry-run")
    assert "1 of 3 is new: width=24" in out
    _, out, _ = _call(capsys, "sweep", *WORDS, "--seeds", "0:2", "--dry-run")
    assert "2 of 4 are new: seed=1" in out
    assert _json(capsys, "sweep", *more, "--seeds", "0:1", "--dry-run")["new"] == 1


def test_looks_and_rungs_are_told_with_what_they_spend(capsys: pytest.CaptureFixture[str], workers_here: None) -> None:
    found = _json(capsys, "sweep", *WORDS, "--seeds", "0:10", "--until", "teacher.accuracy.ci95<.3")
    for one in found["configurations"]:
        assert one["settled"]
        assert one["story"][-1]["half_width"] < 0.3
        assert one["seeds"] == one["story"][-1]["n"]
    found = _json(capsys, "sweep", *WORDS, "--seeds", "0:4", "--halving", "2")
    assert sorted((one["seeds"], one["settled"]) for one in found["configurations"]) == [(2, False), (4, True)]
    assert all(story["biased"] for one in found["configurations"] for story in one["story"])
    until = ("--seeds", "0:10", "--until", "teacher.accuracy.ci95<.3")
    for words, note in ((until, "half-widths above do"), (("--seeds", "0:4", "--halving", "2"), "has fewer seeds")):
        _, out, _ = _call(capsys, "sweep", *WORDS, *words)  # all of it is stored
        (summary,) = re.findall("^see the results by: subtx-toy (.*)$", out, flags=re.MULTILINE)
        assert all(cell["n"] >= 4 for cell in _json(capsys, *shlex.split(summary))["cells"])
        assert note in out
    for wrong in (["--until", "ci95<.1", "--shard", "1/2"], ["--until", "x"], ["--halving", "1"], ["--shard", "0/2"]):
        assert _call(capsys, "sweep", *WORDS, *wrong)[0] == 2


def test_a_sweep_is_followed_from_its_store(capsys: pytest.CaptureFixture[str], workers_here: None) -> None:
    assert _json(capsys, "sweep", *WORDS, "--seeds", "0:1", "--watch")["left"] == 2
    _json(capsys, "sweep", *WORDS, "--seeds", "0:1", "--figure", "s.svg")
    assert Path("s.svg").stat().st_size > 2000
    found = _json(capsys, "sweep", *WORDS, "--seeds", "0:1", "--watch")
    assert [(one["states"], one["n"]) for one in found["configurations"]] == [("d", 1), ("d", 1)]
    code, _, err = _call(capsys, "sweep", *WORDS, "--seeds", "0:1", "--watch")
    assert code == 0
    assert "2 of 2 trials" in err
    part = _json(capsys, "sweep", *WORDS, "--seeds", "0:1", "--watch", "--shard", "1/2")
    assert part["trials"] == 1
    assert "its end" not in (said := _call(capsys, "sweep", *WORDS, "--watch", "--until", "ci95<.1")[2])
    assert "watch: expected a sweep whose trials are known beforehand" in said


def test_a_plan_is_read_back_as_it_was_written() -> None:
    plan = Plan.read("tiny", ["zip:lr:batch_size=1e-3:64,3e-4:32", "width=8,16"], seeds="0:3")
    assert set(map(repr, Plan.parse(plan.to_toml()).configs)) == set(map(repr, plan.configs))
