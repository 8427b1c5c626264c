"""Databases put together, and records removed: all or nothing, bit by bit."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from subtx_toy.errors import InputError, StoreError
from subtx_toy.store import Store
from subtx_toy.store.failures import failures
from subtx_toy.store.maintenance import faults
from subtx_toy.store.merging import merge, remove
from subtx_toy.store.record import RunRecord
from subtx_toy.store.trials import Entry, Leases, states
from tests.unit.store.test_schema import _record


def _full(seed: int) -> RunRecord:
    curves = {"student_aux.accuracy": [0.5, 0.25]}
    return dataclasses.replace(
        _record(seed), series=curves, metrics={"student_aux.accuracy": 0.1 * seed, "x": math.nan}
    )


def _store(path: Path, *records: RunRecord) -> Path:
    with Store(path) as store:
        store.add_all(records)
    return path


def _fail(path: Path, seed: int, error: str) -> str:
    key = _record(seed).run_id
    with Store(path) as store:
        leases = Leases(store)
        leases.enter([Entry(key, "tiny", seed, {"width": 8})], retry_failed=False)
        leases.claim([key])
        leases.fail({key: error})
        leases.close()
    return key


def test_shards_give_the_records_of_one_run(tmp_path: Path) -> None:
    records = [_full(seed) for seed in range(6)]
    whole = _store(tmp_path / "whole.sqlite", *records)
    shards = [_store(tmp_path / f"{at}.sqlite", *records[at::3]) for at in range(3)]
    with Store(tmp_path / "merged.sqlite") as store:
        done = merge(store, shards)
        again = merge(store, shards)
        keys = [record.run_id for record in records]
        with Store(whole) as other:
            assert repr(store.get(keys)) == repr(other.get(keys))  # nan equals nan in a repr
    assert sum(done.added.values()) == 6
    assert (sum(again.added.values()), sum(again.equal.values())) == (0, 6)
    assert not faults(tmp_path / "merged.sqlite")


@pytest.mark.parametrize(
    "changed",
    [
        {"metrics": {"student_aux.accuracy": math.nextafter(0.1, 1), "x": math.nan}},
        {"metrics": {"student_aux.accuracy": 0.1, "x": 0.0}},
        {"series": {"student_aux.accuracy": [0.5, 0.5]}},
        {"series": {}},
    ],
)
@pytest.mark.parametrize("where", ["target", "source"])
def test_equal_keys_with_other_values_are_refused_and_nothing_is_written(
    tmp_path: Path, changed: dict[str, object], where: str
) -> None:
    planted = dataclasses.replace(_full(1), **changed)  # type: ignore[arg-type]
    first = _store(tmp_path / "a.sqlite", _full(0), _full(1))
    second = _store(tmp_path / "b.sqlite", _full(2), planted)
    target = _store(tmp_path / "c.sqlite", *([_full(1)] if where == "target" else []))
    with Store(target) as store, pytest.raises(InputError, match=planted.run_id):
        merge(store, [second] if where == "target" else [first, second])
    with Store(target) as store:
        assert store.count() == (where == "target")


def test_times_and_versions_may_differ(tmp_path: Path) -> None:
    other = dataclasses.replace(_full(1), cpu_seconds=9.0, wall_seconds=9.0, peak_rss_mib=9.0, versions={"torch": "9"})
    path = _store(tmp_path / "a.sqlite", other)
    with Store(_store(tmp_path / "b.sqlite", _full(1))) as store:
        assert merge(store, [path]).equal == {str(path): 1}
        assert store.get([other.run_id])[other.run_id].cpu_seconds == 1.0


def test_a_store_is_not_merged_into_itself(tmp_path: Path) -> None:
    path = _store(tmp_path / "a.sqlite", _full(0))
    (tmp_path / "link.sqlite").symlink_to(path)
    with Store(path) as store, pytest.raises(StoreError, match="got it as a source too"):
        merge(store, [tmp_path / "link.sqlite"])


def test_failed_trials_come_along_unless_they_are_done_here(tmp_path: Path) -> None:
    source, target = _store(tmp_path / "a.sqlite"), _store(tmp_path / "b.sqlite", _full(0))
    keys = [_fail(source, seed, "Traceback\n  the worker died of signal 9 (SIGKILL)\n") for seed in (0, 1)]
    with Store(target) as store:
        assert merge(store, [source]).failed == {str(source): 1}
        assert states(store, keys) == {keys[0]: "done", keys[1]: "failed"}
        (found,) = failures(store)
    assert (found.signal, found.cause, found.seed) == (9, "the worker died of signal 9 (SIGKILL)", 1)
    assert found.tail(1) == "  the worker died of signal 9 (SIGKILL)"


def test_removed_trials_leave_no_trace(tmp_path: Path) -> None:
    path = _store(tmp_path / "a.sqlite", *map(_full, range(3)))
    failed = _fail(path, 7, "ValueError: no")
    with Store(path) as store:
        keys = [_full(0).run_id, failed, "unknown"]
        assert remove(store, keys) == 2
        assert states(store, keys) == {}
        assert store.count() == 2
    assert not faults(path)
