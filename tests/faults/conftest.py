from __future__ import annotations

import pytest

from subtx_toy.sweep.session import Tally
from tests.faults.sweeping import NUM_TRIALS, Numbers, finish, numbers


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Numbers:
    """What the sweep computes when nothing disturbs it."""
    path = tmp_path_factory.mktemp("undisturbed") / "r.sqlite"
    assert finish(path) == Tally(NUM_TRIALS, done=NUM_TRIALS)
    return numbers(path)
