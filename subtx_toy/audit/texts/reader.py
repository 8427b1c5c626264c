"""A data file of somebody else, read within bounds: its format is told from its content, and the decision is kept."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from subtx_toy.audit.texts.example import Example, example_of, layout_of
from subtx_toy.audit.texts.parquet import parquet_records
from subtx_toy.errors import InputError, shortened
from subtx_toy.files.input_file import open_input
from subtx_toy.files.json_text import parse_json
from subtx_toy.settings.limits import MAX_EXAMPLES, MAX_TEXT_BYTES, MAX_TEXT_LINE

_SHOWN_FAULTS = 10
_WAY_ON = (
    "each line a JSON table with prompt and completion, question and response, or messages; a CSV or Parquet file with "
    "such columns; or plain text"
)


@dataclass(frozen=True)
class TextFile:
    """A data file.

    Attributes:
        path: where it lies.
        format: what it was taken for, in words.
        examples: every line of it.
    """

    path: Path
    format: str
    examples: tuple[Example, ...]


def read_examples(path: Path) -> TextFile:
    """Read a data file: JSON Lines, a JSON list, CSV, Parquet or plain text in UTF-8, each also packed by gzip.

    Raises:
        InputError: if it cannot be read, is larger than the bounds in ``settings/limits.py``, or has lines of another
            form; up to ten of them are named.
    """
    try:
        with open_input(path) as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            content = _unpacked(file, packed=packed)
    except (EOFError, zlib.error):
        raise InputError(f"{path}: cannot be read: damaged or truncated") from None
    except OSError as error:
        reason = error.strerror or ("damaged or truncated" if isinstance(error, gzip.BadGzipFile) else str(error))
        raise InputError(f"{path}: cannot be read: {reason}") from None
    name, records, layout = _records(path, content)
    examples: list[Example] = []
    faults: list[str] = []
    for line, record in records:
        if isinstance(record, str) and layout is not None:
            faults.append(f"{path}:{line}: {record}")
        elif isinstance(record, str):
            examples.append(Example("", record, line))
        else:
            try:
                examples.append(example_of(record, layout or ("", "text"), line))
            except ValueError as error:
                faults.append(f"{path}:{line}: {error}")
        if len(faults) == _SHOWN_FAULTS:
            raise InputError(*faults, f"{path}: not read beyond line {line}")
        if len(examples) > MAX_EXAMPLES:
            raise InputError(f"{path}: expected at most {MAX_EXAMPLES} lines, got more")
    InputError.gather(faults)
    if not examples:
        raise InputError(f"{path}: expected at least one example, got none; what is read: {_WAY_ON}")
    return TextFile(path, f"{name}{', packed by gzip' if packed else ''}", tuple(examples))


def _unpacked(file: BinaryIO, *, packed: bool) -> bytes:
    source: Any = gzip.GzipFile(fileobj=file) if packed else file
    content: bytes = source.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise OSError(0, f"expected at most {MAX_TEXT_BYTES} bytes, unpacked, got more")
    return content


_Records = Iterator[tuple[int, "dict[str, Any] | str"]]


def _records(path: Path, content: bytes) -> tuple[str, _Records, tuple[str, str] | None]:
    """Return the format in words, the records or what is wrong with them, and the layout; None for plain text."""
    if content[:4] == b"PAR1":
        names, rows = parquet_records(path, content)
        name, layout = _told("Parquet", path, names)
        return name, rows, layout
    text = _decoded(path, content)
    start = text.lstrip()[:1]
    if start == "[":
        values = _json_list(path, text)
        keys: Any = next((one for one in values if isinstance(one, dict)), {})
        name, layout = _told("a JSON list", path, keys)
        return name, _tables(enumerate(values, start=1)), layout
    if start == "{":
        lines = _json_lines(text)
        first = next((one for _, one in _json_lines(text) if isinstance(one, dict)), None)
        if first is None and (fault := next(_json_lines(text), None)) is not None:
            raise InputError(f"{path}:{fault[0]}: {fault[1]}")
        name, layout = _told("JSON Lines", path, first or {})
        return name, lines, layout
    header = text.partition("\n")[0].strip()
    for separator in (",", "\t", ";"):
        names = [name.strip().strip('"').lower() for name in header.split(separator)]
        if (columns := layout_of(names)) is not None:
            kind = {",": "CSV", "\t": "CSV with tabs", ";": "CSV with semicolons"}[separator]
            return f"{kind} with {' and '.join(filter(None, columns))}", _csv_rows(path, text, separator), columns
    return "plain text, one example a line", _plain(path, text), None


def _told(kind: str, path: Path, names: Any) -> tuple[str, tuple[str, str]]:
    layout = layout_of(names)
    if layout is None:
        got = ", ".join(list(map(str, names))[:8]) or "nothing"
        raise InputError(f"{path}: expected {_WAY_ON}; got {kind} with {shortened(got, 120)}")
    return f"{kind} with {' and '.join(filter(None, layout))}", layout


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected UTF-8, got the byte {content[error.start]:#04x} at {error.start}") from None


def _json_lines(text: str) -> _Records:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if len(line) > MAX_TEXT_LINE:
            yield number, f"expected a line of at most {MAX_TEXT_LINE} bytes, got a longer one"
            continue
        try:
            value = parse_json(line)
        except ValueError as error:
            yield number, f"expected JSON, got {shortened(line.strip(), 60)!r}: {error}"
            continue
        if isinstance(value, dict) and "schema" in value and layout_of(value) is None:  # a header of this package
            continue
        yield number, value if isinstance(value, dict) else f"expected a JSON table, got {shortened(line, 60)!r}"


def _json_list(path: Path, text: str) -> list[Any]:
    try:
        found = parse_json(text)
    except ValueError as error:
        raise InputError(f"{path}: expected JSON, got a text that is none: {error}") from None
    assert isinstance(found, list)
    return found


def _tables(values: Any) -> _Records:
    for number, value in values:
        yield number, value if isinstance(value, dict) else "expected a JSON table, got another value"


def _csv_rows(path: Path, text: str, separator: str) -> _Records:
    csv.field_size_limit(MAX_TEXT_LINE)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader)]
        for row in reader:
            if not row:
                continue
            if len(row) != len(names):
                yield reader.line_num, f"expected {len(names)} fields, got {len(row)}"
            else:
                yield reader.line_num, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: cannot be read as CSV: {error}") from None


def _plain(path: Path, text: str) -> _Records:
    for number, line in enumerate(text.split("\n"), start=1):
        if "\0" in line:
            raise InputError(f"{path}:{number}: expected text, got a zero byte in it")
        if len(line) > MAX_TEXT_LINE:
            raise InputError(f"{path}:{number}: expected a line of at most {MAX_TEXT_LINE} bytes, got a longer one")
        if line.strip():
            yield number, line.strip()
