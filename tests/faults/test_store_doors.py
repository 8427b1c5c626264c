"""Stores that another program locked, cut off, added to or filled: each command ends in one message, unchanged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from subtx_toy.store import Store, connection
from tests.faults.test_store_files import READING, WRITING, Answer, _call, _files, _is_one_message
from tests.unit.store.test_schema import _record

COMMANDS = [*READING, *WRITING]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with three records, alone in its folder."""
    (tmp_path / "s").mkdir()
    with Store(tmp_path / "s" / "r.sqlite") as opened:
        opened.add_all([_record(seed) for seed in range(3)])
    return tmp_path / "s" / "r.sqlite"


def _ask(words: list[str], store: Path) -> Answer:
    return _call(words, store, store.parent.parent, _record(1).run_id)


def _is_refused(answer: Answer, words: list[str], text: str) -> bool:
    faults = [line for line in answer.out.splitlines() if line.startswith("fault")]
    if words == ["doctor"]:
        return answer.code == 1 and text in "".join(faults) and "sound" not in answer.out
    return _is_one_message(answer) and text in answer.err


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_locked_store_is_one_message(words: list[str], store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.01)
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert _is_refused(_ask(words, store), words, "r.sqlite: another program has it locked")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_folder_in_the_place_of_the_log_is_one_message(words: list[str], store: Path) -> None:
    (store.parent / "r.sqlite-wal").mkdir()
    (store.parent / "r.sqlite-wal" / "x").touch()
    assert _is_refused(_ask(words, store), words, "r.sqlite-wal next to it is no file")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("size", [0, 50, 4096, 8192])
def test_a_store_cut_off_next_to_its_log_is_left_alone(words: list[str], size: int, store: Path) -> None:
    with Store(store) as opened:
        opened.add_all([_record(seed) for seed in range(3, 6)])
        log = (store.parent / "r.sqlite-wal").read_bytes()
    (store.parent / "r.sqlite-wal").write_bytes(log)
    os.truncate(store, size)
    before = _files(store.parent)
    answer = _ask(words, store)
    text = f"an empty file with a log of {len(log):,} bytes next to it: was it cut off?" if not size else "r.sqlite"
    assert _is_refused(answer, words, text), answer
    assert _files(store.parent) == before


ADDED = {
    "CREATE TRIGGER t AFTER INSERT ON runs BEGIN SELECT 1; END": "the table runs has a trigger, t",
    "CREATE VIEW v AS SELECT * FROM lost": "it has a view, v",
}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("statement", ADDED)
def test_what_others_added_to_a_store_is_refused_before_any_work(words: list[str], statement: str, store: Path) -> None:
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute(statement)
    before = _files(store.parent)
    assert _is_refused(_ask(words, store), words, ADDED[statement])
    assert _files(store.parent) == before


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_database_that_holds_only_a_view_is_somebody_elses(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    path = tmp_path / "s" / "theirs.sqlite"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE VIEW v AS SELECT 1")
    before = _files(path.parent)
    assert _is_refused(_ask(words, path), words, "got another SQLite file")
    assert _files(path.parent) == before


def test_a_copy_replaces_nothing_but_a_store(store: Path, tmp_path: Path) -> None:
    target = tmp_path / "thesis.txt"
    target.write_text("my thesis " * 100)
    answer = _call(["doctor", "--backup", str(target)], store, tmp_path)
    assert answer.code == 2
    assert "expected a new file for the copy" in answer.err
    assert target.read_text() == "my thesis " * 100
    for _ in range(2):  # a new file, and the copy of before
        assert _call(["doctor", "--backup", str(tmp_path / "copy.sqlite")], store, tmp_path).code == 0


def test_a_copy_does_not_replace_a_store_that_is_in_use(store: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "other.sqlite") as other:
        other.add(_record(7))
        answer = _call(["doctor", "--backup", str(other.path)], store, tmp_path)
        assert _is_one_message(answer)
        assert "which is in use" in answer.err
        other.add(_record(8))


@pytest.mark.parametrize("link", ["same", "link", "hard link"])
@pytest.mark.parametrize(
    ("words", "name"),
    [(["results", "export", "{folder}/b.csv"], "b.csv"), ([*WRITING[1][:-1], "--figure", "{folder}/f.png"], "f.png")],
)
def test_no_output_replaces_the_store(words: list[str], name: str, link: str, store: Path, tmp_path: Path) -> None:
    path = store.rename(tmp_path / name)
    if link == "link":
        path = path.rename(tmp_path / "r.sqlite")
        (tmp_path / name).symlink_to("r.sqlite")
    if link == "hard link":
        (tmp_path / "r.sqlite").hardlink_to(path)
        path = tmp_path / "r.sqlite"
    before = path.read_bytes()
    answer = _call(words, path, tmp_path)
    assert _is_one_message(answer)
    assert "expected another file than the store, got the same one" in answer.err
    assert path.read_bytes() == (tmp_path / name).read_bytes() == before


def test_a_figure_is_not_written_where_the_store_will_be_made(tmp_path: Path) -> None:
    answer = _call([*WRITING[1][:-1], "--figure", "{folder}/f.png"], tmp_path / "f.png", tmp_path)
    assert _is_one_message(answer)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("time", ["9e999", "1e18"])
def test_a_time_that_is_none_is_unknown(time: str, store: Path) -> None:
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute(f"UPDATE runs SET finished_at = {time}")
    answer = _ask(["results", "list"], store)
    assert answer.code == 0
    assert answer.out.splitlines()[1].endswith("unknown")
    assert _ask(["results", "list", "--json"], store).code == 0


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_metric_with_half_a_character_in_its_name_is_exported(ending: str, store: Path) -> None:
    record = replace(_record(9), metrics={"loss\ud800": 1.0})
    with Store(store) as opened:
        opened.add(record)
    answer = _ask(["results", "export", f"{{folder}}/out.{ending}"], store)
    assert answer.code == 0, answer
    assert b"loss\\ud800" in (store.parent.parent / f"out.{ending}").read_bytes()


def test_a_failed_trial_without_a_text_prints_none_of_it(store: Path) -> None:
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("INSERT INTO trials VALUES ('zzz', 'failed', 'tiny', 0, '{}', NULL, NULL, 0)")
    answer = _ask(["results", "show", "zzz"], store)
    assert (answer.code, answer.err) == (0, "")
    assert '"state": "failed"' in answer.out
    assert "error" not in answer.out


def test_a_line_end_in_a_name_or_a_path_is_written(store: Path) -> None:
    path = store.rename(store.parent / "r\nx.sqlite")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("INSERT INTO trials VALUES ('zzz', 'pending', 'my\ntrials', 0, '{}', NULL, NULL, 0)")
    answer = _ask(["results", "list"], path)
    assert "my\\ntrials  " in answer.out
    assert answer.out.endswith("r\\nx.sqlite\n")
    assert "r\\nx.sqlite" in _ask(["doctor"], path).out.splitlines()[-1]
    path.write_text("none of ours")
    assert len(_ask(["results", "list"], path).err.splitlines()) == 1
