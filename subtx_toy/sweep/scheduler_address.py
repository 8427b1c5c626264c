"""Addresses of Dask schedulers."""

from __future__ import annotations

import re

from subtx_toy.errors import InputError

_ADDRESS = re.compile(r"(?:(?:tcp|tls)://)?(?:[\w.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):(\d{1,5})", re.ASCII)


def check_scheduler(address: object) -> None:
    """Refuse what cannot be the address of a scheduler.

    >>> check_scheduler("tls://node7:8786"), check_scheduler("[::1]:8786")
    (None, None)
    """
    match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if match is None or not 1 <= int(match[1]) <= 65_535:
        raise InputError(f"scheduler: expected tls://HOST:PORT or tcp://HOST:PORT, got {address!r}")
