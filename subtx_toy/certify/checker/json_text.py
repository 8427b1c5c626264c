"""The text of a certificate: JSON with one value per key, finite numbers of few digits, and little nesting."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from subtx_toy.certify.checker.limits import MAX_DEPTH, MAX_DIGITS, MAX_TEXT
from subtx_toy.certify.checker.rejected import Rejected


def parse(content: bytes) -> Any:
    """Return the value of certificate.json.

    Raises:
        Rejected: for a text that is no strict JSON, or beyond a limit.
    """
    if len(content) > MAX_TEXT:
        raise Rejected(f"certificate.json has {len(content)} bytes, more than {MAX_TEXT}")
    if not content:
        raise Rejected("certificate.json is empty")
    try:
        text = content.decode()
        if text.startswith("\ufeff"):
            raise Rejected("certificate.json begins with a byte order mark, which no certificate has")
        document = json.loads(
            text, parse_constant=_refuse, object_pairs_hook=_unique, parse_int=_integer, parse_float=_float
        )
    except RecursionError:
        raise Rejected("certificate.json is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise Rejected(f"certificate.json is not UTF-8: it has another byte at {error.start}") from None
    except json.JSONDecodeError as error:
        raise Rejected(f"certificate.json breaks off or is not JSON from character {error.pos + 1} on") from None
    _not_too_deep(document)
    return document


def _refuse(constant: str) -> NoReturn:
    raise Rejected(f"certificate.json holds {constant}, which is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Rejected("certificate.json holds a key twice")
    return found


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Rejected(f"certificate.json holds a number of {len(text)} characters, more than {MAX_DIGITS}")
    return int(text)


def _float(text: str) -> float:
    if len(text) > MAX_DIGITS:
        raise Rejected(f"certificate.json holds a number of {len(text)} characters, more than {MAX_DIGITS}")
    if not math.isfinite(value := float(text)):
        raise Rejected(f"certificate.json holds {text}, which is no finite float64")
    return value


def _not_too_deep(document: object) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        tables = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [inner for table in tables for inner in table]
    if level:
        raise Rejected("certificate.json is nested too deeply")
