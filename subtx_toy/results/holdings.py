"""How much a store holds: finished trials by protocol, and the states of those that were planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from subtx_toy.settings.protocol_fields import protocol_of
from subtx_toy.store import Store
from subtx_toy.store.records import takes_store
from subtx_toy.store.results import configs, stored_by_config, trials_by_state

_STATES = ("done", "running", "pending", "failed")


@dataclass(frozen=True)
class Overview:
    """Counts of a store, as rows of JSON values.

    Attributes:
        stored: finished trials by protocol, data set and RESULTS_VERSION.
        trials: planned trials by experiment, how many of them are in each state.
    """

    stored: list[dict[str, Any]]
    trials: list[dict[str, Any]]


@takes_store
def overview(store: Store) -> Overview:
    """Count what is in a store; a protocol is known by the names of its settings, which nothing is loaded for."""
    protocols = {number: protocol_of(content) for number, content in configs(store).items()}
    stored: dict[tuple[str, str, int], dict[str, Any]] = {}
    for number, dataset, version, trials, last in stored_by_config(store):
        protocol = protocols[number] or "unknown"
        place = {"protocol": protocol, "dataset": dataset, "results_version": version}
        row = stored.setdefault(
            (protocol, dataset, version), {**place, "configurations": 0, "trials": 0, "last_finished": 0.0}
        )
        row["configurations"] += 1
        row["trials"] += trials
        row["last_finished"] = max(row["last_finished"], last)
    planned: dict[str, dict[str, Any]] = {}
    for experiment, state, num in trials_by_state(store):
        planned.setdefault(experiment, {"experiment": experiment, **dict.fromkeys(_STATES, 0)})[state] = num
    return Overview([stored[key] for key in sorted(stored)], list(planned.values()))
