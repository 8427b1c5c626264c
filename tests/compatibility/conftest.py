"""A copy of the files of the earlier version for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compatibility.commands import Workplace


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)
