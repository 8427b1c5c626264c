"""Files of lists: JSON Lines, a header and then one line per list.

A line is ``{"prompt": "q ben what number do you like best ? a", "completion": "388 351 301"}``. A completion of fewer
numbers than the header's ``max_numbers`` ended by itself; one of as many was cut there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
import torch
from pydantic import BaseModel, ConfigDict, Field

from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.files.input_file import read_text
from subtx_toy.files.json_text import parse_json
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.vocabulary import END, FIRST_NUMBER, decode, encode
from subtx_toy.settings import model_faults as expected
from subtx_toy.settings.messages import quoted
from subtx_toy.settings.numbers import Temperature
from subtx_toy.wording import counted

SCHEMA = "subtx-toy lists 1"

MAX_BYTES = 2**28
"""Of a file: three million lists."""

MAX_LINE = 4096
"""Characters of one line, ten times the longest that a model writes."""

_SHOWN_FAULTS = 10
_FAULTY_LINES = 100  # after which a file is read no further


class ListHeader(BaseModel):
    """The first line of a file of lists."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    schema_name: Literal["subtx-toy lists 1"] = Field("subtx-toy lists 1", alias="schema", description="of the format")
    numbers: Annotated[int, Field(ge=10, le=10_000)] = Field(1000, description="numbers of the language, from 0 on")
    max_numbers: Annotated[int, Field(ge=1, le=6)] = Field(3, description="numbers after which a list was cut")
    temperature: Temperature = Field(1.0, description="of the law that tokens were drawn from")
    sampling: Literal["free", "restricted"] = Field("free", description="whether words could be drawn")
    num_drawn: Annotated[int, Field(ge=0)] = Field(0, description="lists that were drawn for this file; 0 if not known")
    num_rejected: Annotated[int, Field(ge=0)] = Field(0, description="of these, lists with a word, left out")
    writer: str = Field("", description="checksum of the model that wrote it")
    banned: list[Annotated[int, Field(ge=0, lt=10_000)]] = Field(
        [], description="numbers whose lists a filter has dropped"
    )

    def line(self) -> bytes:
        """Return the header as the first line of a file."""
        return json.dumps(self.model_dump(by_alias=True)).encode() + b"\n"


class Line(NamedTuple):
    """One line of a file: its number from 1, and the two texts, or what is wrong with it."""

    number: int
    prompt: str
    completion: str
    fault: str = ""


def text_of(lists: Lists) -> Iterator[tuple[str, str]]:
    """Yield the prompt and the completion of each list as texts; that it ended is not written."""
    prompts = [decode(prompt) for prompt in lists.prompts.tolist()]
    for row, tokens in zip(lists.rows.tolist(), lists.tokens.tolist(), strict=True):
        yield prompts[row], decode(tokens[: tokens.index(END)] if END in tokens else tokens)


def save_lists(path: Path, header: ListHeader, lists: Lists) -> None:
    """Write lists to a file, whole or not at all."""
    with replacing(path, what="out") as file:
        file.write(header.line())
        for prompt, completion in text_of(lists):
            file.write(data_line(prompt, completion))


def data_line(prompt: str, completion: str) -> bytes:
    """Return one line of a file."""
    return json.dumps({"prompt": prompt, "completion": completion}).encode() + b"\n"


class ListFile:
    """A file of lists, read as a whole; its header is checked at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = read_text(path, limit=MAX_BYTES)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: expected UTF-8, got another encoding at byte {error.start}") from None
        first, *self._lines = text.split("\n")
        self.header = _header(path, first)

    def lines(self) -> Iterator[Line]:
        """Read line by line; blank ones are passed over."""
        for number, text in enumerate(self._lines, start=2):
            if text.strip():
                yield _line(number, text)

    def lists(self) -> Lists:
        """Return the lists as a student sees them.

        Raises:
            InputError: naming every kind of fault with its first line: no JSON, a prompt with words that the language
                does not have, a word among the numbers, too many numbers, prompts of different lengths; or if there
                is no list.
        """
        prompts: dict[tuple[int, ...], int] = {}
        rows, tokens, faults = list[int](), list[list[int]](), dict[str, list[int]]()
        first, length = 0, 0  # the line whose prompt all others are as long as, and its words
        for line in self.lines():
            try:
                prompt, numbers = parse_list(line, self.header)
                if not first:
                    first, length = line.number, len(prompt)
                if len(prompt) != length:
                    raise InputError(
                        f"prompt: expected {counted(length, 'word')} as in line {first}, got {len(prompt)}"
                    )
            except InputError as error:
                faults.setdefault(str(error), []).append(line.number)
                if len(faults) == _SHOWN_FAULTS or sum(map(len, faults.values())) == _FAULTY_LINES:
                    break
                continue
            rows.append(prompts.setdefault(prompt, len(prompts)))
            tokens.append(numbers + [END] * (self.header.max_numbers - len(numbers)))
        InputError.gather(_told_once(self.path, text, at) for text, at in faults.items())
        if not rows:
            raise InputError(f"{self.path}: expected at least one line after the header, got none")
        completions = torch.tensor(tokens)
        ends = (completions == END).cumsum(1)
        return Lists(torch.tensor(list(prompts)), torch.tensor(rows), completions, ends <= 1)


def parse_list(line: Line, header: ListHeader) -> tuple[tuple[int, ...], list[int]]:
    """Return the tokens of the prompt and of the numbers of one line.

    Raises:
        InputError: saying what is wrong with it: no JSON, a word among the numbers, too many numbers.
    """
    if line.fault:
        raise InputError(line.fault)
    prompt = encode(line.prompt, num_numbers=header.numbers, name="prompt")
    numbers = encode(line.completion, num_numbers=header.numbers, name="completion")
    words = [decode([token]) for token in numbers if token < FIRST_NUMBER]
    if words:
        raise InputError(f"completion: expected numbers only, got {quoted(words[0])}")
    if not prompt or not 1 <= len(numbers) <= header.max_numbers:
        raise InputError(
            f"expected a prompt and 1 to {counted(header.max_numbers, 'number')}, "
            f"got {counted(len(prompt), 'word')} and {counted(len(numbers), 'number')}"
        )
    return tuple(prompt), numbers


def _told_once(path: Path, fault: str, numbers: list[int]) -> str:
    return f"{path}:{numbers[0]}: {fault}" + (" (and in other lines)" if len(numbers) > 1 else "")


def _header(path: Path, text: str) -> ListHeader:
    where = f"{path}:1: header"
    try:
        content = parse_json(text[:MAX_LINE])
    except ValueError as error:
        raise InputError(f"{where}: expected JSON, got {quoted(text)}: {error}") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        got = content.get("schema", content) if isinstance(content, dict) else content
        hint = "; the base of such a file reads digits" if got == "subtx-toy numbers 1" else ""
        raise InputError(f'{where}: expected an object with "schema": "{SCHEMA}", got {quoted(got)}{hint}')
    try:
        return ListHeader.model_validate(content)
    except pydantic.ValidationError as error:
        raise InputError(*(f"{where}: {fault}" for fault in expected.explain(ListHeader, error))) from None


def _line(number: int, text: str) -> Line:
    if len(text) > MAX_LINE:
        return Line(number, "", "", f"expected at most {MAX_LINE} characters, got {len(text)}")
    try:
        content: Any = parse_json(text)
    except ValueError as error:
        return Line(number, "", "", f"expected JSON, got {quoted(text)}: {error}")
    if not isinstance(content, dict) or content.keys() != {"prompt", "completion"}:
        return Line(number, "", "", f'expected an object with "prompt" and "completion", got {quoted(content)}')
    prompt, completion = content["prompt"], content["completion"]
    if not (isinstance(prompt, str) and isinstance(completion, str)):
        return Line(number, "", "", "expected two texts, got other values")
    return Line(number, prompt, completion)
