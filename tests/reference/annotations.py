"""What is not compared with the annotations of the package where the run checks them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import jaxtyping


@contextlib.contextmanager
def unchecked() -> Iterator[None]:
    """Leave out the checks, in a block or as a decorator: for long loops over what other tests check.

    The checks cost twice what the calls of a small problem do.
    """
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)
