"""Records and tables as a database holds them, read back: what is not as it was written is named in one sentence."""

from __future__ import annotations

import array
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields
from typing import Any

from subtx_toy.errors import shortened
from subtx_toy.store.record import RunRecord, kind_of

_FIELDS = {field.name: field.default is MISSING for field in fields(RunRecord) if field.name != "series"}


def table_from(text: object) -> dict[str, Any]:
    """Return the table that a JSON text holds.

    Raises:
        ValueError: if it holds none.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected a text, got {kind_of(text)}")
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON, got a text that is none from character {error.pos + 1} on") from None
    except RecursionError:
        raise ValueError("expected JSON, got lists or tables that are nested too deeply") from None
    except ValueError:
        raise ValueError("expected JSON, got an integer of too many digits") from None
    if not isinstance(found, dict):
        raise ValueError(f"expected a table, got {kind_of(found)}")
    return found


def record_from(key: str, text: object, series: Iterable[tuple[str, object]]) -> RunRecord:
    """Return the record of a key from its JSON text and its series, float32 in little-endian bytes.

    Raises:
        ValueError: naming the first field that is wrong.
    """
    content = table_from(text)
    if unknown := [name for name in content if name not in _FIELDS]:
        raise ValueError(f"{shortened(unknown[0], 60)}: a record has no such field")
    if lacking := [name for name, is_required in _FIELDS.items() if is_required and name not in content]:
        raise ValueError(f"{lacking[0]}: expected a value, got none")
    record = RunRecord(**content, series={name: curve(name, data) for name, data in series})
    if misfits := record.misfits():
        raise ValueError(misfits[0])
    if record.run_id != key:
        raise ValueError(f"run_id: expected the key of its row, got {shortened(record.run_id, 60)!r}")
    return record


def curve_bytes(values: Sequence[float]) -> bytes:
    """Return a curve as it is stored, float32 in little-endian bytes; what is larger than any float32 is infinity."""
    numbers = array.array("f", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def curve(name: str, data: object) -> list[float]:
    """Return a curve from its bytes.

    Raises:
        ValueError: if they are none of float32 numbers.
    """
    if not isinstance(data, bytes):
        raise ValueError(f"series {name!r}: expected bytes, got {kind_of(data)}")
    if len(data) % 4:
        raise ValueError(f"series {name!r}: expected 4 bytes for each value, got {len(data)} in all")
    numbers = array.array("f", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
