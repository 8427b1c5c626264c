"""The same configuration gives the same record, under the same key."""

from __future__ import annotations

import pytest

from tests.compatibility.commands import ABOUT_MACHINE, TIMES, TOLERANCE, Workplace, names
from tests.compatibility.documents import differences

VOLATILE = TIMES | ABOUT_MACHINE


def _records(work: Workplace, store: str) -> dict[str, object]:
    work.text("results", "export", f"{store}.csv", "--store", store)
    keys = [line.split(",") for line in (work.folder / f"{store}.csv").read_text(encoding="utf-8").splitlines()]
    at = keys[0].index("run_id")
    return {key[at]: work.document("results", "show", key[at], "--store", store) for key in keys[1:]}


@pytest.mark.parametrize("name", names("fresh-"))
def test_a_new_run_gives_the_document_and_the_records_it_gave(
    work: Workplace, name: str, request: pytest.FixtureRequest
) -> None:
    if name != "fresh-run-distillation":  # one of them by a worker
        request.getfixturevalue("workers_here")
    work.assert_prints_what_it_did(name, *VOLATILE)
    new, old = _records(work, "fresh.sqlite"), _records(work, "results.sqlite")
    assert new
    wanted = {key: old.get(key) for key in new}
    assert differences(wanted, new, volatile=VOLATILE, tolerance=TOLERANCE) == []


@pytest.mark.parametrize("name", [name for name in names("dry-") if name != "dry-sweep-begun"])
def test_every_experiment_has_the_keys_it_had(work: Workplace, name: str) -> None:
    work.assert_prints_what_it_did(name)
