"""TOML files that a person wrote: read once, in bounds, and refused in our own words."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from subtx_toy.errors import InputError
from subtx_toy.files.input_file import read_input
from subtx_toy.settings.limits import MAX_BITS, MAX_DEPTH, MAX_FILE_BYTES

_MAX_DOTS = 1000  # of one key or sentence: tomllib takes quadratic time for a key with many


def read_toml(path: Path, *, what: str) -> dict[str, object]:
    """Return the content of a TOML file in UTF-8, with or without a byte order mark; errors begin with ``what``."""
    try:
        content = read_input(path, limit=MAX_FILE_BYTES)
    except OSError as error:
        raise InputError(f"{what}: cannot read {str(path)!r}: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
        if max(part.count(".") for part in re.split(r"[=,\[\]{}\n]", text)) > _MAX_DOTS:
            raise InputError(_too_deep(what, path))
        values = tomllib.loads(text)
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(f"{what}: expected UTF-8 text in {str(path)!r}, got another byte at {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{what}: {str(path)!r} is not valid TOML: {_in_words(error)}") from None
    except RecursionError:
        raise InputError(_too_deep(what, path)) from None
    except ValueError:  # Python's limit on the digits of an integer
        raise InputError(_too_large(what, path)) from None
    depth, bits = extent(values)
    if depth > MAX_DEPTH:
        raise InputError(_too_deep(what, path))
    if bits > MAX_BITS:
        raise InputError(_too_large(what, path))
    return values


def _in_words(error: tomllib.TOMLDecodeError) -> str:
    """Return what tomllib says, without the names of Python's types that its words for repeated keys hold."""
    text, at, place = str(error).rpartition(" (at ")
    if text.startswith("Cannot declare"):
        text = "a table stands there twice"
    elif text.startswith(("Cannot overwrite", "Cannot mutate", "Duplicate", "Cannot redefine")):
        text = "a key stands there twice"
    return text + at + place


def extent(value: object) -> tuple[int, int]:
    """Return how many tables and lists stand within one another, and the bits of the largest integer.

    >>> extent({"a": [1, {}], "b": 8})
    (3, 4)
    """
    depth = bits = 0
    level = [value]
    while level:
        inner: list[object] = []
        for part in level:
            if isinstance(part, dict | list):
                inner += part.values() if isinstance(part, dict) else part
            elif isinstance(part, int):
                bits = max(bits, part.bit_length())
        depth += any(isinstance(part, dict | list) for part in level)
        level = inner
    return depth, bits


def _too_deep(what: str, path: Path) -> str:
    return f"{what}: expected at most {MAX_DEPTH} tables and lists within one another in {str(path)!r}, got more"


def _too_large(what: str, path: Path) -> str:
    return f"{what}: expected integers of at most {MAX_BITS} bits in {str(path)!r}, got a larger one"
