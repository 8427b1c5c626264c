"""Workers say how far their trials are, through shared memory without a lock."""

from __future__ import annotations

import pytest

from subtx_toy.training import pulse

KEY = "0123456789abcdef" * 2


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> object:
    for name in ("memory", "place", "done", "total"):
        monkeypatch.setattr(pulse._Trial, name, getattr(pulse._Trial, name))
    shared = pulse.shared_memory()
    pulse.report_to(shared, 4711)
    return shared


def test_epochs_are_counted(memory: object) -> None:
    pulse.begin(KEY)
    assert list(pulse.pulses(memory)) == []  # nobody knows yet how many there will be
    pulse.expect(15)
    pulse.tick()
    pulse.tick()
    assert list(pulse.pulses(memory)) == [pulse.Pulse(KEY[:13], 2, 15)]


def test_a_teacher_that_was_found_counts_as_trained_and_nothing_goes_back(memory: object) -> None:
    pulse.begin(KEY)
    pulse.expect(15)
    pulse.reach(5)
    pulse.reach(3)
    pulse.tick()
    assert [one.done for one in pulse.pulses(memory)] == [6]
    pulse.reach(99)
    assert [one.done for one in pulse.pulses(memory)] == [15]


def test_a_new_trial_starts_from_nothing(memory: object) -> None:
    pulse.begin(KEY)
    pulse.expect(2)
    pulse.tick()
    pulse.begin(KEY[::-1])
    pulse.expect(3)
    assert list(pulse.pulses(memory)) == [pulse.Pulse(KEY[::-1][:13], 0, 3)]


def test_without_a_coordinator_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse._Trial, "memory", None)
    pulse.begin(KEY)
    pulse.expect(2)
    pulse.tick()
