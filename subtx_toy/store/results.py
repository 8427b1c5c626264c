"""What summaries read: settings and final metrics of many trials, without their long records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from subtx_toy.store.records import Store, takes_store


class Result(NamedTuple):  # cheap to make: a summary makes a hundred thousand of them
    """The final metrics of one trial; ``config_id`` names its settings in ``configs``."""

    run_id: str
    config_id: int
    seed: int
    results_version: int
    dataset_sha256: str
    cpu_seconds: float
    metrics: dict[str, float]

    def with_config(self, number: int) -> Result:
        """Return the result under another number of the same settings."""
        return self if number == self.config_id else self._replace(config_id=number)


@takes_store
def configs(store: Store) -> dict[int, dict[str, Any]]:
    """Return the settings of the stored trials by their number, as they were written."""
    store.connection.catch_up()
    rows = store.connection.rows("SELECT id, config FROM configs ORDER BY id")
    return {number: json.loads(text) for number, text in rows}


@takes_store
def results(store: Store) -> Iterator[Result]:
    """Yield the final metrics of every trial, by settings and seed."""
    store.connection.catch_up()
    query = (
        "SELECT run_id, config_id, seed, results_version, dataset_sha256, cpu_seconds, metrics FROM results "
        "ORDER BY config_id, results_version, seed"
    )
    with store.connection.explained():
        for run_id, number, seed, version, sha256, seconds, metrics in store.connection.sqlite.execute(query):
            yield Result(run_id, number, seed, version, sha256, seconds, json.loads(metrics))


@takes_store
def config_costs(store: Store) -> list[tuple[dict[str, Any], float, int]]:
    """Return the CPU seconds and the number of the trials of each configuration, with its settings."""
    found = configs(store)
    query = "SELECT config_id, sum(cpu_seconds), count(*) FROM results GROUP BY config_id"
    return [(found[number], seconds, num) for number, seconds, num in store.connection.rows(query)]


@takes_store
def stored_by_config(store: Store) -> list[tuple[int, str, int, int, float]]:
    """Return (configuration, data set, RESULTS_VERSION, trials, last time in seconds since 1970) of what is stored."""
    store.connection.catch_up()
    query = (
        "SELECT config_id, dataset, runs.results_version, count(*), max(finished_at) "
        "FROM results JOIN runs USING (run_id) GROUP BY config_id, dataset, runs.results_version"
    )
    return store.connection.rows(query)


@takes_store
def trials_by_state(store: Store) -> list[tuple[str, str, int]]:
    """Return (experiment, state, number) of the trials that were ever planned here."""
    query = "SELECT experiment, state, count(*) FROM trials GROUP BY experiment, state ORDER BY experiment"
    return store.connection.rows(query)
