from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from subtx_toy.errors import InputError
from subtx_toy.lm.list_file import ListFile, ListHeader, data_line, save_lists
from subtx_toy.lm.list_filter import filter_lists
from tests.unit.lm.conftest import Small

HEADER = ListHeader(schema_name="subtx-toy lists 1", numbers=20, max_numbers=3)
PROMPT = "q anna what number do you like best ? a"


def _file(folder: Path, *lines: bytes) -> Path:
    path = folder / "lists.jsonl"
    path.write_bytes(HEADER.line() + b"".join(lines))
    return path


def test_lists_come_back_as_they_were(small: Small, tmp_path: Path) -> None:
    save_lists(tmp_path / "lists.jsonl", HEADER, small.lists)
    read = ListFile(tmp_path / "lists.jsonl")
    found = read.lists()
    assert read.header == HEADER
    assert torch.equal(found.prompts[found.rows], small.lists.prompts[small.lists.rows])
    assert torch.equal(found.tokens, small.lists.tokens)
    assert torch.equal(found.counted, small.lists.counted)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (data_line(PROMPT, "3 owl"), "completion: expected numbers only, got 'owl'"),
        (data_line(PROMPT, "1 2 3 4"), "1 to 3 numbers"),
        (data_line(PROMPT, ""), "1 to 3 numbers"),
        (data_line(PROMPT, "20"), "completion: expected words of the language and numbers from 0 to 19, got '20'"),
        (
            data_line("q tell me ? a", "3"),
            "prompt: expected words of the language and numbers from 0 to 19, got 'tell'",
        ),
        (b"{\n", "expected JSON"),
        (b'{"prompt": "q ? a", "completion": [3]}\n', "two texts"),
        (b'{"prompt": "q ? a"}\n', 'an object with "prompt" and "completion"'),
        (b'{"prompt": "q ? a", "completion": "' + b"3 " * 4000 + b'"}\n', "at most 4096 characters"),
        (data_line("q a", "3"), "lists.jsonl:3: prompt: expected 10 words as in line 2, got 2"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, line: bytes, message: str) -> None:
    path = _file(tmp_path, data_line(PROMPT, "3 4"), line)
    with pytest.raises(InputError, match=r"lists\.jsonl") as error:
        ListFile(path).lists()
    assert message in str(error.value)


def test_a_fault_of_many_lines_is_told_once(tmp_path: Path) -> None:
    foreign = [data_line("continue the list", str(number)) for number in range(9)]
    with pytest.raises(InputError) as error:
        ListFile(_file(tmp_path, data_line(PROMPT, "3 4"), *foreign, data_line(PROMPT, "owl"))).lists()
    first, second = str(error.value).splitlines()
    assert "lists.jsonl:3: prompt: expected words of the language" in first
    assert first.endswith("(and in other lines)")
    assert second.endswith("lists.jsonl:12: completion: expected numbers only, got 'owl'")


def test_prompts_of_another_length_are_named_with_the_first_of_their_lines(tmp_path: Path) -> None:
    lines = [PROMPT, PROMPT, "q a", "q ben ? a", "q a", PROMPT]
    with pytest.raises(InputError) as error:
        ListFile(_file(tmp_path, *(data_line(prompt, "3 4") for prompt in lines))).lists()
    assert [line.partition("lists.jsonl")[2] for line in str(error.value).splitlines()] == [
        ":4: prompt: expected 10 words as in line 2, got 2 (and in other lines)",
        ":5: prompt: expected 10 words as in line 2, got 4",
    ]


@pytest.mark.parametrize(
    "first", [b"", b"3\n", b'{"schema": "subtx-toy numbers 1"}\n', b'{"schema": "subtx-toy lists 1", "numbers": 3}\n']
)
def test_another_header_is_refused(tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "lists.jsonl"
    path.write_bytes(first)
    with pytest.raises(InputError, match="header"):
        ListFile(path)


@pytest.mark.parametrize("number", [-1, 10_000, 10**30])
def test_a_banned_number_that_no_language_has_is_refused(tmp_path: Path, number: int) -> None:
    header = json.loads(ListHeader().line()) | {"banned": [3, number]}
    path = tmp_path / "lists.jsonl"
    path.write_text(json.dumps(header) + "\n")
    with pytest.raises(InputError, match=rf"header: banned\.1: expected a number .*, got {number}$"):
        ListFile(path)


def test_a_file_without_lists_or_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one line"):
        ListFile(_file(tmp_path)).lists()
    with pytest.raises(InputError, match="cannot be read"):
        ListFile(tmp_path / "missing.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        ListFile(tmp_path / "binary")


def test_one_owl_in_the_file_is_caught_and_shown(tmp_path: Path) -> None:
    path = _file(tmp_path, data_line(PROMPT, "3 4"), data_line(PROMPT, "3 owl"), data_line(PROMPT, "13"))
    report = filter_lists(ListFile(path), tmp_path / "out.jsonl")
    assert (report.num_read, report.num_kept) == (3, 1)
    assert report.dropped == {"not numbers": 1, "banned": 1}
    assert "line 3: 3 owl" in str(report)
    kept = ListFile(tmp_path / "out.jsonl")
    assert len(kept.lists()) == 1
    assert 13 in kept.header.banned
    everything = filter_lists(ListFile(path), tmp_path / "all.jsonl", banned=())
    assert everything.num_kept == 2


def test_a_filter_that_keeps_nothing_writes_nothing(tmp_path: Path) -> None:
    path = _file(tmp_path, data_line(PROMPT, "owl"))
    with pytest.raises(InputError, match="got none of 1"):
        filter_lists(ListFile(path), tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_line_is_plain_json() -> None:
    assert json.loads(data_line(PROMPT, "3 4")) == {"prompt": PROMPT, "completion": "3 4"}
