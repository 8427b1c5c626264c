"""What summaries read: settings and final metrics of many trials, without their long records."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from subtx_toy.store.inspection import damaged
from subtx_toy.store.records import Store, takes_store
from subtx_toy.store.stored_text import curve


class Result(NamedTuple):  # cheap to make: a summary makes a million of them
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


_KINDS = (str, int, int, int, str, float, dict)
_NUMBERS = {int, float}
_BATCH = 1000  # results that are read in one go, which takes half as long as one by one


@takes_store
def configs(store: Store) -> dict[int, dict[str, Any]]:
    """Return the settings of the stored trials by their number, as they were written.

    Raises:
        StoreError: if the file is damaged; so do the other functions of this module.
    """
    store.connection.catch_up()
    rows = store.connection.rows("SELECT id, config FROM configs ORDER BY id")
    return {number: _table(store, f"configuration {number}", text) for number, text in rows}


@takes_store
def results(store: Store) -> Iterator[Result]:
    """Yield the final metrics of every trial that has a record, by settings and seed."""
    store.connection.catch_up()
    query = (
        "SELECT run_id, config_id, seed, results_version, dataset_sha256, cpu_seconds, metrics FROM results "
        "WHERE EXISTS (SELECT 1 FROM runs WHERE runs.run_id = results.run_id) "
        "ORDER BY config_id, results_version, seed"
    )
    rows = store.connection.each(query)
    while batch := list(itertools.islice(rows, _BATCH)):
        yield from _batch(store, batch)


def _batch(store: Store, rows: Sequence[tuple[Any, ...]]) -> Iterator[Result]:
    """Yield results of rows that end in a JSON text, or name the first one that is damaged."""
    *columns, texts = zip(*rows, strict=True)
    try:
        tables = json.loads(f"[{','.join(texts)}]")
    except (ValueError, RecursionError, TypeError):
        tables = []
    if len(tables) != len(rows):
        tables = [_table(store, f"result {row[0]}", row[-1]) for row in rows]
    columns.append(tables)
    if any({kind} != set(map(type, column)) for kind, column in zip(_KINDS, columns, strict=True)) or (
        not _NUMBERS.issuperset(map(type, itertools.chain.from_iterable(one.values() for one in tables)))
    ):
        for row in zip(*columns, strict=True):
            if tuple(map(type, row)) != _KINDS or not _NUMBERS.issuperset(map(type, row[-1].values())):
                raise damaged(store.path, f"the result {row[0]!r} is none")
    columns[4] = tuple(map(sys.intern, columns[4]))  # a million trials share a few checksums
    yield from map(Result._make, zip(*columns, strict=True))


@takes_store
def losing_finiteness(store: Store, run_ids: Sequence[str]) -> set[str]:
    """Return those of the keys whose record has a loss that ends in nan or infinity."""
    query = (
        "SELECT run_id, name, substr(data, -4) FROM series "
        "WHERE run_id IN (SELECT value FROM json_each(?)) AND name LIKE '%.loss' AND length(data) > 0"
    )
    found = set()
    for key, name, data in store.connection.each(query, json.dumps(list(run_ids))):
        try:
            if not math.isfinite(curve(name, data)[-1]):
                found.add(key)
        except ValueError as error:
            raise damaged(store.path, f"the record {key}: {error}") from None
    return found


@takes_store
def config_costs(store: Store) -> list[tuple[dict[str, Any], float, int]]:
    """Return the CPU seconds and the number of the trials of each configuration, with its settings."""
    found = configs(store)
    query = "SELECT config_id, sum(cpu_seconds), count(*) FROM results GROUP BY config_id"
    rows = store.connection.rows(query)
    if lost := [number for number, *_ in rows if number not in found]:
        raise damaged(store.path, f"configuration {lost[0]} is missing")
    return [(found[number], seconds, num) for number, seconds, num in rows]


@takes_store
def stored_by_config(store: Store) -> list[tuple[int, str, int, int, float]]:
    """Return (configuration, data set, RESULTS_VERSION, trials, last time in seconds since 1970) of what is stored."""
    store.connection.catch_up()
    query = (
        "SELECT config_id, dataset, runs.results_version, count(*), max(finished_at) "
        "FROM results JOIN runs USING (run_id) GROUP BY config_id, dataset, runs.results_version"
    )
    rows = store.connection.rows(query)
    for row in rows:
        if tuple(map(type, row)) != (int, str, int, int, float):
            raise damaged(store.path, f"the record of configuration {row[0]!r} is none")
    return rows


@takes_store
def trials_by_state(store: Store) -> list[tuple[str, str, int]]:
    """Return (experiment, state, number) of the trials that were ever planned here.

    A trial whose record is gone is pending: it runs again.
    """
    query = (
        "SELECT experiment, CASE WHEN state = 'done' AND NOT EXISTS "
        "(SELECT 1 FROM runs WHERE runs.run_id = trials.run_id) THEN 'pending' ELSE state END AS now, count(*) "
        "FROM trials GROUP BY experiment, now ORDER BY experiment"
    )
    rows = store.connection.rows(query)
    for experiment, state, _num in rows:
        if not isinstance(experiment, str) or state not in ("pending", "running", "done", "failed"):
            raise damaged(store.path, "the trial of an unknown experiment or state")
    return rows


def _table(store: Store, what: str, text: object) -> dict[str, Any]:
    try:
        content = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise damaged(store.path, f"the {what} cannot be read")
    return content
