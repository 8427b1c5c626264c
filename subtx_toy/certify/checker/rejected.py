"""The verdict that a file proves nothing."""

from __future__ import annotations


class Rejected(Exception):  # noqa: N818, it is the verdict
    """The file proves nothing; the message says what is wrong with it."""


def shortened(value: object) -> str:
    """Return how a value of the file is quoted in a message: as Python writes it, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:40]}...{text[-17:]}"
