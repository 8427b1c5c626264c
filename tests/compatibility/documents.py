"""How a document of an earlier version is compared with one of this version: what was there has to be there still."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

KEYS = ("run_id", "id", "name")
"""What an element of a list is known by, where all of them have one of these and no two the same."""


def differences(
    old: Any, new: Any, *, volatile: Collection[str] = (), tolerance: float | None = None, at: str = "document"
) -> list[str]:
    """Return what of ``old`` is missing in ``new`` or has another value there; more keys in ``new`` are no difference.

    Args:
        old: a document as JSON gives it.
        new: the same document of this version.
        volatile: keys whose values are not compared; they have to be there.
        tolerance: largest difference of two floats, relative to max(1, the old one), and no numbers inside texts are
            compared; None compares every float and every text exactly.
        at: where in the document these are.
    """
    if type(old) is not type(new):
        return [f"{at}: expected {old!r}, got {new!r}"]
    settings: dict[str, Any] = {"volatile": volatile, "tolerance": tolerance}
    if isinstance(old, dict):
        missing = [f"{at}.{key}: expected it, got none" for key in old if key not in new]
        kept = [key for key in old if key in new and key not in volatile]
        return missing + [one for key in kept for one in differences(old[key], new[key], **settings, at=f"{at}.{key}")]
    if isinstance(old, list):
        key = next((key for key in KEYS if _known_by(old, key) and _known_by(new, key)), None)
        if key is not None:
            return differences(*({one[key]: one for one in rows} for rows in (old, new)), **settings, at=at)
        if len(old) != len(new):
            return [f"{at}: expected {len(old)} elements, got {len(new)}"]
        pairs = enumerate(zip(old, new, strict=True))
        return [one for number, pair in pairs for one in differences(*pair, **settings, at=f"{at}[{number}]")]
    return [] if _same(old, new, tolerance) else [f"{at}: expected {old!r}, got {new!r}"]


def _known_by(rows: list[Any], key: str) -> bool:
    found = [one.get(key) for one in rows if isinstance(one, dict)]
    return bool(rows) and len(found) == len(rows) == len(set(map(repr, found))) and None not in found


def _same(old: object, new: object, tolerance: float | None) -> bool:
    if tolerance is not None and isinstance(old, float) and isinstance(new, float):
        return abs(new - old) <= tolerance * max(1.0, abs(old))
    if tolerance is not None and isinstance(old, str) and isinstance(new, str):
        return re.sub(r"\d[\d.e+-]*", "#", old) == re.sub(r"\d[\d.e+-]*", "#", new)
    return old == new
