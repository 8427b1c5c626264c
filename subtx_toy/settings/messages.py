"""Parts of messages of the form *field: expected ..., got ...*: a value as it is repeated, and the nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from subtx_toy.errors import shortened
from subtx_toy.settings.limits import MAX_VALUE_CHARACTERS

NOUNS: dict[object, str] = {
    int: "an integer",
    float: "a finite number",
    str: "a text",
    bool: "true or false",
    dict: "a table",
    list: "a list",
    tuple: "a list",
}
"""What a message calls the values of a type."""


def quoted(value: object) -> str:
    """Write a value as a message repeats it: as Python does, but short, and any integer whatever its size.

    >>> quoted("a" * 1000)[:3], quoted(10**9999), quoted([1, 2])
    ("'aa", 'an integer of about 9999 digits', '[1, 2]')
    """
    try:
        if isinstance(value, int) and value.bit_length() > 1000:
            return f"an integer of about {int(value.bit_length() * 0.30103)} digits"
        if type(value).__module__ == "datetime":
            return f"the date or time {value}"
        return shortened(repr(value), MAX_VALUE_CHARACTERS)
    except (ValueError, RecursionError):  # thousands of digits or of brackets somewhere inside
        return f"a {_kind(value)} that is too large to show"


def _kind(value: object) -> str:
    return NOUNS.get(type(value), "a value").partition(" ")[2]


def nearest(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return a hint that names the closest of ``words``, or nothing when none is closer than ``cutoff`` in [0, 1].

    >>> nearest("widht", ["width", "depth"])
    "; did you mean 'width'?"
    """
    close = difflib.get_close_matches(word[:100], list(words), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]!r}?" if close else ""
