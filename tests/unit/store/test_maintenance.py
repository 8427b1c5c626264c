"""Copies and soundness: planted damage is found, and a copy holds what the original held."""

from __future__ import annotations

from pathlib import Path

import pytest

from subtx_toy.errors import StoreError
from subtx_toy.store import Store
from subtx_toy.store.maintenance import backup, faults
from subtx_toy.store.trials import Entry, Leases
from tests.unit.store.test_schema import _old_store, _record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Store(tmp_path / "r.sqlite") as store:
        store.add_all([_record(seed) for seed in range(50)])
    return tmp_path / "r.sqlite"


def test_a_copy_made_while_the_store_is_written_holds_every_record(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copies" / "copy.sqlite"
    with Store(path) as store:
        store.add(_record(50))  # in the write-ahead log, not in the file yet
        backup(path, target)
    with Store(target) as copy:
        assert copy.count() == 51
    assert faults(target) == []


def test_a_copy_that_cannot_be_made_leaves_the_old_one(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite"
    target.write_text("the old copy")
    with pytest.raises(StoreError, match="cannot copy"):
        backup(tmp_path / "none.sqlite", target)
    assert target.read_text() == "the old copy"
    assert not (tmp_path / "none.sqlite").exists()
    assert list(tmp_path.glob(".copy*")) == []


def test_a_store_is_not_copied_onto_itself(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.sqlite").symlink_to(path)
    with Store(path) as store:
        for target in (path, tmp_path / "." / path.name, tmp_path / "link.sqlite"):
            with pytest.raises(StoreError, match="expected another file"):
                backup(path, target)
        store.add(_record(50))
    with Store(path) as store:
        assert store.count() == 51


def test_an_interrupted_copy_leaves_nothing_behind(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        backup(path, tmp_path / "copy.sqlite")
    assert [*tmp_path.glob("copy*"), *tmp_path.glob(".copy*")] == []


def test_a_sound_store_has_no_faults_whatever_its_schema(path: Path, tmp_path: Path) -> None:
    assert faults(path) == []
    _old_store(tmp_path / "old.sqlite", [_record(0)]).close()
    assert faults(tmp_path / "old.sqlite") == []


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE runs SET record = '{' WHERE seed = 1", "damaged"),
        ("UPDATE runs SET record = '{\"other\": 1}' WHERE seed = 1", "damaged"),
        ("INSERT INTO series VALUES ('nobody', 'x', x'00')", "series: row 1 belongs to no runs"),
        ("UPDATE trials SET state = 'done'", "done without a record"),
        ("PRAGMA user_version = 99", "expected schema version 2 or lower, got 99"),
    ],
)
def test_planted_damage_is_found(path: Path, damage: str, sentence: str) -> None:
    with Store(path) as store:
        Leases(store).enter([Entry("x", "tiny", 0, {})], retry_failed=False)
        store.connection.sqlite.execute("PRAGMA foreign_keys = OFF")
        store.connection.sqlite.execute(damage)
    found = list[str]()
    with StoreError.collected(found):
        found += faults(path)
    assert any(sentence in fault for fault in found)


def test_a_torn_page_is_found(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    path.write_bytes(content)
    try:
        found = faults(path)
    except StoreError as error:
        found = list(error.problems)
    assert found != []
