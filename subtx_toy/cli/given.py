"""Which options a user has given, so that none of them is ignored."""

from __future__ import annotations

from click import get_current_context


def is_given(name: str) -> bool:
    """Return whether a parameter of the command that runs was given, and does not hold its default."""
    source = get_current_context().get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")
