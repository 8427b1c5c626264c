"""A copy of the files of the earlier version for every test, and commands at the speed that users have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest

from tests.compatibility.commands import Workplace


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture(autouse=True)
def unchecked_annotations() -> Iterator[None]:
    """Leave the shapes to the other tests: to check them takes several times what the commands do."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
