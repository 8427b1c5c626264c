"""Files of numbers: JSON Lines, a header and then one line a prompt, read a piece at a time.

The header says how the numbers were drawn and where the prompts come from. A line is
``{"prompt": 17, "numbers": [3, 141]}``, where ``numbers`` may also be a text such as ``"3, 141"``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import weakref
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic
from jaxtyping import Int
from pydantic import BaseModel, ConfigDict, Field

from subtx_toy.channel.number_text import Fault, check_numbers, parse_numbers
from subtx_toy.channel.prompts import PromptSource
from subtx_toy.channel.sampler import NumberLaw
from subtx_toy.errors import InputError
from subtx_toy.files.input_file import open_input
from subtx_toy.files.json_text import parse_json
from subtx_toy.settings import model_faults as expected
from subtx_toy.settings.numbers import NUM_NUMBERS, Temperature

SCHEMA = "subtx-toy numbers 1"
MAX_BYTES = 65_536
"""Of one line: a hundred times the longest that ten numbers need."""

MAX_PASSED_OVER = 2**24
"""Bytes of a line that is too long that are passed over before a file is given up; or a 64th as many blank lines."""

_PER_BLANK = 64  # what a blank line counts besides its bytes, for the time it takes
_SHOWN_FAULTS = 10
_GZIP_MAGIC, _BYTE_ORDER_MARK = b"\x1f\x8b", b"\xef\xbb\xbf"


class FilterHeader(BaseModel):
    """What a filter let through, as far as the law of the numbers depends on it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    banned: list[int] = Field([], description="numbers whose lines were dropped")
    deduplicated: bool = Field(False, description="whether repeated lines were dropped, which makes lines dependent")


class Header(BaseModel):
    """The first line of a file of numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    schema_name: Literal["subtx-toy numbers 1"] = Field(
        "subtx-toy numbers 1", alias="schema", description="version of the format"
    )
    sampler: Literal["softmax"] = Field("softmax", description="how numbers are drawn from the number logits")
    temperature: Temperature = Field(1.0, description="of the softmax")
    top_k: int = Field(0, ge=0, le=NUM_NUMBERS, description="likeliest numbers that may come; 0 is all")
    filter: FilterHeader | None = Field(None, description="what was dropped")
    prompts: PromptSource = Field(description="where the prompts come from")

    @property
    def law(self) -> NumberLaw:
        """The law of one number of the file, given its writer's number logits."""
        banned = () if self.filter is None else tuple(sorted(set(self.filter.banned)))
        return NumberLaw(self.temperature, self.top_k, banned)

    def line(self) -> bytes:
        """Return the header as the first line of a file."""
        return json.dumps(self.model_dump(by_alias=True, exclude_none=True)).encode() + b"\n"


@dataclass(frozen=True, eq=False)
class Piece:
    """Some numbers of a file, one an entry: the prompt's index, the number, and the line it stands on (from 1)."""

    prompts: Int[np.ndarray, " c"]
    numbers: Int[np.ndarray, " c"]
    lines: Int[np.ndarray, " c"]


def data_line(prompt: int, numbers: Int[np.ndarray, " c"]) -> bytes:
    """Return one line of a file."""
    return b'{"prompt": %d, "numbers": %b}\n' % (prompt, str(numbers.tolist()).encode())


class NumberFile:
    """A file of numbers whose header has been read; its first bytes show whether it is compressed.

    It is opened once and stays open, so that every pass reads the same file; one pass at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open_input(path)
            weakref.finalize(self, self._file.close)
            self._packed = self._file.read(2) == _GZIP_MAGIC
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
        number, first = next(self._lines(), (1, b""))
        self.header = self._read_header(number, first)

    def pieces(self, size: int = 2**18) -> Iterator[Piece]:
        """Read the numbers, about ``size`` at a time."""
        prompts: list[int] = []
        numbers: list[int] = []
        lines: list[int] = []
        faults: list[str] = []
        empty = True
        for line, content in self.entries():
            if isinstance(content, Fault):
                faults.append(f"{self.path}:{line}: {content.text}")
                if len(faults) == _SHOWN_FAULTS:
                    raise InputError(*faults, f"{self.path}: not read beyond line {line}")
                continue
            prompt, drawn = content
            prompts += [prompt] * len(drawn)
            lines += [line] * len(drawn)
            numbers += drawn
            if len(numbers) >= size and not faults:
                empty = False
                yield Piece(np.array(prompts), np.array(numbers), np.array(lines))
                prompts, numbers, lines = [], [], []
        InputError.gather(faults)
        if numbers:
            yield Piece(np.array(prompts), np.array(numbers), np.array(lines))
        elif empty:
            raise InputError(f"{self.path}: expected at least one line after the header, got none")

    def check(self) -> None:
        """Read the file once, for its faults alone."""
        for _piece in self.pieces():
            pass

    def sha256(self) -> str:
        """Return the SHA-256 of the file as it lies there, compressed or not."""
        self._file.seek(0)
        found = hashlib.sha256()
        while block := self._file.read(2**20):
            found.update(block)
        return found.hexdigest()

    def entries(self) -> Iterator[tuple[int, tuple[int, list[int]] | Fault]]:
        """Read line by line: its number from 1, and the prompt and its numbers, or what is wrong with it."""
        most = self.header.prompts.num_prompts
        lines = self._lines()
        next(lines)
        for number, raw in lines:
            yield number, _entry(raw, most)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and content of every line that is not blank; of a line that is too long only its beginning."""
        number = passed_over = 0
        try:
            self._file.seek(0)
            file: Any = gzip.GzipFile(fileobj=self._file) if self._packed else self._file
            while raw := file.readline(MAX_BYTES + 1):
                number += 1
                whole = raw.removeprefix(_BYTE_ORDER_MARK) if number == 1 else raw
                passed_over = 0 if whole.strip() else passed_over + len(whole) + _PER_BLANK
                while len(raw) > MAX_BYTES and not raw.endswith(b"\n"):  # the rest of it is passed over
                    raw = file.readline(MAX_BYTES + 1)
                    passed_over += len(raw)
                    self._give_up_beyond(number, passed_over)
                self._give_up_beyond(number, passed_over)
                if whole.strip() or len(whole) > MAX_BYTES:
                    yield number, whole
        except (EOFError, zlib.error, OSError) as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "damaged or truncated"
            raise InputError(f"{self.path}: cannot be read beyond line {number}: {reason}") from None

    def _give_up_beyond(self, number: int, passed_over: int) -> None:
        if passed_over > MAX_PASSED_OVER:
            raise InputError(
                f"{self.path}:{number}: expected a line of at most {MAX_BYTES} bytes, got a longer one without an end, "
                "or hundreds of thousands of blank ones"
            )

    def _read_header(self, number: int, raw: bytes) -> Header:
        where = f"{self.path}:{number}: header"
        content = _json(raw)
        if isinstance(content, Fault):
            raise InputError(f"{where}: {content.text}")
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            got = content.get("schema", content) if isinstance(content, dict) else content
            hint = "; the base of such a file is a language model" if got == "subtx-toy lists 1" else ""
            raise InputError(f'{where}: expected an object with "schema": "{SCHEMA}", got {_short(got)}{hint}')
        try:
            header = Header.model_validate(content)
        except pydantic.ValidationError as error:
            raise InputError(*(f"{where}: {fault}" for fault in expected.explain(Header, error))) from None
        if header.filter is not None:
            odd = [number for number in header.filter.banned if not 0 <= number < NUM_NUMBERS]
            InputError.gather([f"{where}: filter.banned: expected numbers from 0 to 999, got {odd}"] if odd else [])
            if len(set(header.filter.banned)) == NUM_NUMBERS:
                raise InputError(f"{where}: filter.banned: expected a number that is not banned, got all of them")
        return header


def _entry(raw: bytes, most: int) -> tuple[int, list[int]] | Fault:
    content = _json(raw)
    if isinstance(content, Fault):
        return content
    if not isinstance(content, dict) or not {"prompt", "numbers"} <= content.keys():
        return Fault("format", f'expected an object with "prompt" and "numbers", got {_short(content)}')
    prompt, numbers = content["prompt"], content["numbers"]
    if type(prompt) is not int or not 0 <= prompt < most:
        return Fault("prompt", f"prompt: expected an index from 0 to {most - 1}, got {_short(prompt)}")
    found = parse_numbers(numbers) if isinstance(numbers, str) else check_numbers(numbers)
    return found if isinstance(found, Fault) else (prompt, found)


def _json(raw: bytes) -> Any:
    if len(raw) > MAX_BYTES:
        return Fault("too long", f"expected a line of at most {MAX_BYTES} bytes, got a longer one")
    try:
        text = raw.decode("utf-8")
        return parse_json(text)
    except UnicodeDecodeError as error:
        return Fault("encoding", f"expected UTF-8, got the byte {raw[error.start]:#04x} at {error.start}")
    except ValueError as error:
        return Fault("not JSON", f"expected JSON, got {_short(text.strip())}: {error}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
