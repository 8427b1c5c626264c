"""Calls that are not held against the package's annotations: for loops over what other tests check."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import jaxtyping


@contextlib.contextmanager
def unchecked() -> Iterator[None]:
    """Leave out the checks, which cost twice what the calls of a small problem do; a decorator as well."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)
