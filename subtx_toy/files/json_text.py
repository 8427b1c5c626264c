"""JSON in and out, strictly: one value a key, no nan and no infinity, whatever the file or the document."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from subtx_toy.settings.limits import MAX_DEPTH

MAX_DIGITS = 4300
"""Of an integer, Python's own limit."""


def parse_json(text: str) -> Any:
    """Return the value of a JSON text; a ValueError says in a few words why there is none.

    >>> parse_json('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    """
    try:
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise ValueError(f"it breaks off or is none from character {error.pos + 1} on") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if too_deep(value):
        raise ValueError("nested too deeply")
    return value


def too_deep(value: object) -> bool:
    """Return whether lists and tables stand inside one another beyond ``MAX_DEPTH``, where others would overflow."""
    level = [value]
    for _ in range(MAX_DEPTH):
        tables = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [inner for table in tables for inner in table]
        if not level:
            return False
    return any(isinstance(one, dict | list) for one in level)


def json_text(document: Mapping[str, Any] | list[Any], *, indent: int | None = 2) -> str:
    """Return a document as JSON; nan and infinity, which JSON has not, are null.

    >>> json_text({"mean": math.nan, "n": 2}, indent=None)
    '{"mean": null, "n": 2}'
    """
    return json.dumps(_finite(document), indent=indent, allow_nan=False)


def not_finite(document: object, *, place: str = "") -> dict[str, str]:
    """Return the places of a document that ``json_text`` writes as null, and what stands there.

    >>> not_finite({"metrics": {"loss": math.nan}, "series": [1.0, -math.inf]})
    {'metrics.loss': 'nan', 'series[1]': '-inf'}
    """
    if isinstance(document, float) and not math.isfinite(document):
        return {place: str(document)}
    found: dict[str, str] = {}
    if isinstance(document, Mapping):
        for name, value in document.items():
            found |= not_finite(value, place=f"{place}.{name}" if place else str(name))
    elif isinstance(document, list | tuple):
        for index, value in enumerate(document):
            found |= not_finite(value, place=f"{place}[{index}]")
    return found


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen = set[str]()
        for name, _value in pairs:
            if name in seen:
                raise ValueError(f"the key {name[:60]!r} stands there twice")
            seen.add(name)
    return found


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)
