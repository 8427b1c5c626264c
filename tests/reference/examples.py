"""How many examples a property draws, and which members of a family of tests run on demand only."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings


def at_most(count: int) -> settings:
    """Return settings for a costly property: ``count`` examples day by day, all that the thorough profile asks for."""
    usual = settings().max_examples
    return settings(max_examples=usual if usual > 100 else min(count, usual))


def slow(*values: Any) -> list[Any]:
    """Return parameters whose tests run with --run-slow only; leave at least one of the family without."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow) for value in values
    ]
