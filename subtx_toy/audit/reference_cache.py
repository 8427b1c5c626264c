"""Statistics of a reference ensemble, cached by all that they depend on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from subtx_toy.data import cache
from subtx_toy.files.atomic import replacing
from subtx_toy.files.content_key import content_key
from subtx_toy.files.input_file import read_text
from subtx_toy.files.json_text import parse_json

_MAX_CACHED = 2**24  # bytes: 200,000 values for each of three traits

T = TypeVar("T")


def cached_reference(
    folder: str,
    key: Mapping[str, Any],
    measure: Callable[[], T],
    *,
    num_bytes: int,
    encode: Callable[[T], Any],
    decode: Callable[[Any], T],
) -> T:
    """Return the values that ``key`` has in the cache, or measure and keep them.

    ``encode`` makes JSON of the values and ``decode`` undoes it. It raises OSError, ValueError, TypeError or KeyError
    for a damaged file, which is measured again. That the cache can hold ``num_bytes`` is made sure before the work.
    """
    path = cache.root() / folder / f"reference-{content_key(key, size=12)}.json"
    try:
        return decode(parse_json(read_text(path, limit=_MAX_CACHED)))
    except (OSError, ValueError, TypeError, KeyError):  # not there, or damaged
        cache.ensure_writable(path.parent, num_bytes=num_bytes)
    encoded = encode(measure())
    with replacing(path) as file:
        file.write(json.dumps(encoded).encode())
    return decode(encoded)
