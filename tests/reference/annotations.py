"""Which calls are held against the package's annotations, where that is too slow for all of them."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import jaxtyping

P = ParamSpec("P")
R = TypeVar("R")


@contextlib.contextmanager
def unchecked() -> Iterator[None]:
    """Leave out the checks, in a block or as a decorator: for long loops over what other tests check.

    In the thorough profile too. The checks cost twice what the calls of a small problem do.
    """
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


def first_checked(function: Callable[P, R], num: int) -> Callable[P, R]:
    """Leave out the checks from call ``num`` on, unless they have failed: then every call is checked.

    Hypothesis calls a failing example again, to make it smaller and to be sure of it.
    """
    calls, failed = itertools.count(), False

    @functools.wraps(function)
    def counted(*args: P.args, **keywords: P.kwargs) -> R:
        nonlocal failed
        if next(calls) == num and not failed:
            jaxtyping.config.update("jaxtyping_disable", True)
        try:
            return function(*args, **keywords)
        except jaxtyping.TypeCheckError:
            failed = True
            raise

    return counted
