"""Leases: what one coordinator runs no other one runs, unless it is dead."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import pytest

from subtx_toy.store import Store
from subtx_toy.store.coordinators import LEASE_SECONDS, Coordinator
from subtx_toy.store.trials import Entry, Leases, entry, failure, states
from tests.unit.store.test_schema import _record

KEYS = [f"{number:032x}" for number in range(6)]
ENTRIES = [Entry(key, "tiny", seed, {"width": 8}) for seed, key in enumerate(KEYS)]


def _leases(store: Store, coordinator: Coordinator | None = None) -> Leases:
    leases = Leases(store, coordinator=coordinator)
    leases.enter(ENTRIES, retry_failed=False)
    return leases


def _dead_process() -> Coordinator:
    """A coordinator in a process that has ended."""
    here = Coordinator.this_process()
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return dataclasses.replace(here, pid=process.pid, started="1")


def test_two_coordinators_share_the_trials_and_claim_none_twice(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as one, Store(tmp_path / "r.sqlite") as two:
        first, second = _leases(one), _leases(two)
        assert first.claim(KEYS[:2]) == dict.fromkeys(KEYS[:2], "claimed")
        assert second.claim(KEYS[:4]) == dict.fromkeys(KEYS[:2], "running") | dict.fromkeys(KEYS[2:4], "claimed")
        assert first.claim(KEYS[3:]) == {KEYS[3]: "running"} | dict.fromkeys(KEYS[4:], "claimed")


def test_a_finished_trial_cannot_be_claimed(tmp_path: Path) -> None:
    record = _record(0)
    with Store(tmp_path / "r.sqlite") as store:
        leases = Leases(store)
        leases.enter([Entry(record.run_id, "tiny", 0, {})], retry_failed=True)
        store.add(record)
        assert leases.claim([record.run_id]) == {record.run_id: "done"}
        assert states(store, [record.run_id, "unknown"]) == {record.run_id: "done"}


def test_what_a_dead_coordinator_ran_is_free_at_once(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as store:
        _leases(store, _dead_process()).claim(KEYS[:2])
        assert states(store, KEYS[:2]) == dict.fromkeys(KEYS[:2], "running")
        assert _leases(store).claim(KEYS[:2]) == dict.fromkeys(KEYS[:2], "claimed")


@pytest.mark.parametrize(("age", "state"), [(0.0, "running"), (2 * LEASE_SECONDS, "claimed")])
def test_what_a_silent_coordinator_elsewhere_ran_is_free_when_its_lease_ends(
    tmp_path: Path, age: float, state: str
) -> None:
    elsewhere = dataclasses.replace(_dead_process(), machine="another machine")  # whose processes cannot be looked up
    with Store(tmp_path / "r.sqlite") as store:
        _leases(store, elsewhere).claim(KEYS[:1])
        store.connection.sqlite.execute("UPDATE coordinators SET heartbeat = ?", (time.time() - age,))
        assert _leases(store).claim(KEYS[:1]) == {KEYS[0]: state}


def test_a_failed_trial_keeps_its_traceback_and_waits_for_being_retried(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as store:
        leases = _leases(store)
        leases.claim(KEYS[:1])
        leases.fail({KEYS[0]: "Traceback ...\nValueError: no"})
        assert failure(store, KEYS[0]) == "Traceback ...\nValueError: no"
        assert entry(store, KEYS[0]) == (ENTRIES[0], "failed")
        leases.enter(ENTRIES, retry_failed=False)
        assert leases.claim(KEYS[:1]) == {KEYS[0]: "failed"}
        leases.enter(ENTRIES, retry_failed=True)
        assert failure(store, KEYS[0]) is None
        assert leases.claim(KEYS[:1]) == {KEYS[0]: "claimed"}


def test_a_coordinator_that_leaves_gives_back_what_is_not_finished(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as store:
        leases = _leases(store)
        leases.claim(KEYS[:3])
        leases.fail({KEYS[0]: "no"})
        leases.close()
        assert states(store, KEYS[:3]) == {KEYS[0]: "failed", KEYS[1]: "pending", KEYS[2]: "pending"}


def test_this_process_lives_and_another_boot_cannot_be_known() -> None:
    here = Coordinator.this_process()
    assert here.is_dead() is (False if here.machine else None)
    assert dataclasses.replace(here, machine="another machine").is_dead() is None
