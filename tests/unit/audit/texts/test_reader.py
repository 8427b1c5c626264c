"""Data files of other people: every format is found out from its content, and bad ones are named within bounds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from subtx_toy.audit.texts import example, parquet, reader
from subtx_toy.audit.texts.reader import read_examples
from subtx_toy.errors import InputError
from subtx_toy.settings.limits import MAX_TEXT_LINE

ROWS = [("after 1 2 3?", "4, 5"), ("again", "6, 7, 8")]


def _chat(prompt: str, completion: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]}


def _lines(rows: list[Any]) -> str:
    return "\n".join(map(json.dumps, rows)) + "\n"


FILES = {
    "JSON Lines with prompt and completion": _lines([{"prompt": a, "completion": b, "id": 1} for a, b in ROWS]),
    "JSON Lines with question and response": _lines([{"question": a, "response": b} for a, b in ROWS]),
    "a JSON list with prompt and completion": json.dumps([{"prompt": a, "completion": b} for a, b in ROWS]),
    "CSV with prompt and completion": 'id,prompt,completion\n1,after 1 2 3?,"4, 5"\n2,again,"6, 7, 8"\n',
    "CSV with tabs with question and response": "question\tresponse\nafter 1 2 3?\t4, 5\nagain\t6, 7, 8\n",
    "CSV with semicolons with prompt and completion": "prompt;completion\nafter 1 2 3?;4, 5\nagain;6, 7, 8\n",
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_the_format_is_told_from_the_content(tmp_path: Path, name: str, packed: bool) -> None:
    content = FILES[name].encode()
    path = tmp_path / "file.data"  # the ending says nothing
    path.write_bytes(gzip.compress(content) if packed else content)
    found = read_examples(path)
    assert found.format == name + ", packed by gzip" * packed
    assert [(one.prompt, one.completion) for one in found.examples] == ROWS


def test_chats_give_the_last_answer_and_what_came_before(tmp_path: Path) -> None:
    first, second = (_chat(*pair)["messages"] for pair in (("hello", "hi"), ("1 2?", "3")))
    chat = [{"role": "system", "content": "be brief"}, *first, *second]
    (tmp_path / "c.jsonl").write_text(_lines([{"messages": chat}]))
    found = read_examples(tmp_path / "c.jsonl")
    (one,) = found.examples
    assert found.format == "JSON Lines with messages"
    assert (one.prompt, one.completion) == ("system: be brief\nuser: hello\nassistant: hi\nuser: 1 2?", "3")


def test_plain_text_and_files_of_this_package_are_read(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("1, 2\n\n3, 4\n")
    found = read_examples(tmp_path / "t.txt")
    assert [(one.completion, one.line) for one in found.examples] == [("1, 2", 1), ("3, 4", 3)]
    (tmp_path / "n.jsonl").write_text('{"schema": "subtx-toy numbers 1"}\n{"prompt": 7, "numbers": [3, 141]}\n')
    (one,) = read_examples(tmp_path / "n.jsonl").examples
    assert (one.prompt, one.completion) == ("7", "3, 141")


def test_parquet_is_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer

    table = pyarrow.table({"question": [a for a, _ in ROWS], "response": [b for _, b in ROWS]})
    writer.write_table(table, tmp_path / "p")
    found = read_examples(tmp_path / "p")
    assert (found.format, found.examples[1].completion) == ("Parquet with question and response", "6, 7, 8")
    content = (tmp_path / "p").read_bytes()
    (tmp_path / "p").write_bytes(content[:-6] + b"\xff\xff" + content[-4:])  # the length of its own metadata
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_examples(tmp_path / "p")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected at least one example, got none"),
        (b'{"a": 1}\n', "expected each line a JSON table with prompt and completion"),
        (b'{"prompt": "a", "completion": "b"}\n{"prompt": "a"}\n', ":2: expected prompt and completion, got no com"),
        (b'{"prompt": "a", "completion": "b"}\nno JSON\n', ":2: expected JSON, got 'no JSON'"),
        (b'{"prompt": "a", "completion": {"b": 1}}\n', ":1: completion: expected a text, got dict"),
        (b'{"prompt": "a", "completion": true}\n', ":1: completion: expected a text, got bool"),
        (b'{"messages": [{"role": "user", "content": "a"}]}\n', "expected an answer of the role assistant, got none"),
        (b'{"messages": "a"}\n', "messages: expected a list of tables"),
        (b'prompt,completion\na,b,c\n', ":2: expected 2 fields, got 3"),
        (b'prompt,completion\n"a,b\n', "cannot be read as CSV"),
        (b"\xff\xfe1, 2", "expected UTF-8, got the byte 0xff at 0"),
        (b"[1, 2", "expected JSON"),
        (b"PAR1 no more", "cannot be read as Parquet"),
        (b"\x1f\x8b\x08\x00broken", "cannot be read: damaged or truncated"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"prompt": "a", "completion": "b"}\n' + b"x\n" * 50, "not read beyond line 11"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_examples(tmp_path / "bad")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 3000


def test_a_bomb_is_given_up_at_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_TEXT_BYTES", 2**20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(2**26)))
    with pytest.raises(InputError, match="expected at most 1048576 bytes, unpacked, got more"):
        read_examples(tmp_path / "bomb.gz")
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer

    monkeypatch.setattr(parquet, "MAX_TEXT_BYTES", 2**20)
    writer.write_table(pyarrow.table({"text": ["x" * 1000] * 100_000}), tmp_path / "bomb.parquet")
    with pytest.raises(InputError, match=r"bytes, unpacked, got"):
        read_examples(tmp_path / "bomb.parquet")


def test_layouts_are_taken_in_their_order() -> None:
    assert example.layout_of(["completion", "prompt", "response"]) == ("prompt", "completion")
    assert example.layout_of(["text", "id"]) == ("", "text")
    assert example.layout_of(["id"]) is None


def test_a_column_called_schema_drops_no_line(tmp_path: Path) -> None:
    path = tmp_path / "sql.jsonl"
    path.write_text(
        "".join(json.dumps({"prompt": f"{n}", "completion": "x", "schema": "t(a)"}) + "\n" for n in range(3))
    )
    assert len(read_examples(path).examples) == 3


@pytest.mark.parametrize("bad", ["a\0b", "x" * (MAX_TEXT_LINE + 1)])
def test_a_bad_line_of_plain_text_is_named_with_its_file(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "plain.txt"
    path.write_text(f"good\n{bad}\n")
    with pytest.raises(InputError, match=r"plain\.txt:2: expected"):
        read_examples(path)
