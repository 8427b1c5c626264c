"""How many examples a property draws."""

from __future__ import annotations

from hypothesis import settings


def at_most(count: int) -> settings:
    """Return settings for a costly property: ``count`` examples day by day, all that the thorough profile asks for."""
    usual = settings().max_examples
    return settings(max_examples=usual if usual > 100 else min(count, usual))
