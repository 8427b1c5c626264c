"""Files of numbers: written, read, filtered, and refused."""

from __future__ import annotations

import gzip
import json
import resource
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from subtx_toy.channel.number_file import MAX_BYTES, Header, NumberFile, data_line
from subtx_toy.channel.number_filter import FilterRules, filter_file
from subtx_toy.channel.number_text import Fault, check_numbers, parse_numbers
from subtx_toy.channel.prompts import NoisePrompts, PromptSource, choose_rows, prompt_inputs
from subtx_toy.channel.teachers import read_pairs, write_numbers
from subtx_toy.errors import InputError
from subtx_toy.seeding import generator
from tests.unit.conftest import SmallChannel

HEADER = Header(schema_name="subtx-toy numbers 1", prompts=PromptSource(source="uniform", seed=0))


def _file(path: Path, *lines: bytes, header: bytes = HEADER.line()) -> NumberFile:
    path.write_bytes(header + b"".join(line + b"\n" for line in lines))
    return NumberFile(path)


def test_what_is_written_is_read_packed_or_not(tmp_path: Path, channel: SmallChannel) -> None:
    source = PromptSource.images(channel.dataset, absent=(4,))
    header = Header(schema_name="subtx-toy numbers 1", temperature=0.7, prompts=source)
    found = []
    for name in ("plain.jsonl", "packed.jsonl.gz"):
        write_numbers(
            tmp_path / name, channel.model, channel.base, header, channel.dataset,
            num_lines=300, lengths=(1, 4), seed=5,
        )  # fmt: skip
        file = NumberFile(tmp_path / name)
        assert file.header == header
        found.append(read_pairs(file))
    assert np.array_equal(found[0].rows, found[1].rows)
    assert np.array_equal(found[0].numbers, found[1].numbers)
    assert (tmp_path / "packed.jsonl.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert 4 not in channel.dataset.train_labels[found[0].rows]
    assert list(tmp_path.glob(".*")) == []


@hypothesis.given(
    st.lists(st.tuples(st.integers(0, 10**7), st.lists(st.integers(0, 999), min_size=1, max_size=10)), min_size=1),
    st.integers(1, 7),
)
def test_every_good_line_is_read_in_order_in_pieces_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, list[int]]], size: int
) -> None:
    path = tmp_path_factory.mktemp("pieces") / "f.jsonl"
    file = _file(path, *(data_line(prompt, np.array(numbers)).strip() for prompt, numbers in rows))
    pieces = list(file.pieces(size))
    flat = [(prompt, number, at) for at, (prompt, numbers) in enumerate(rows, start=2) for number in numbers]
    read = [row for piece in pieces for row in zip(piece.prompts, piece.numbers, piece.lines, strict=True)]
    assert read == flat


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b'{"prompt": 1, "numbers": [NaN]}', "NaN is no number"),
        (b'{"prompt": 1, "numbers": [1000]}', "integers from 0 to 999, got 1000"),
        (b'{"prompt": 1, "numbers": [1.5]}', "expected integers, got '1.5'"),
        (b'{"prompt": 1, "numbers": [true]}', "expected integers, got 'True'"),
        (b'{"prompt": 1, "numbers": []}', "1 to 10 of them, got 0"),
        (b'{"prompt": 1, "numbers": [1,2,3,4,5,6,7,8,9,10,11]}', "got 11"),
        (b'{"prompt": -1, "numbers": [1]}', "expected an index from 0 to 99999999, got -1"),
        (b'{"prompt": "1", "numbers": [1]}', "expected an index"),
        (b'{"prompt": 100000000, "numbers": [1]}', "expected an index"),
        (b'{"prompt": 1, "numbers": "7, 8; 9"}', "one kind of separator"),
        (b'{"prompt": 1}', 'expected an object with "prompt" and "numbers"'),
        (b"[1, 2]", 'expected an object with "prompt" and "numbers"'),
        (b'{"prompt": 1, "numbers": [1}', 'expected JSON, got \'{"prompt"'),
        (b'{"prompt": 1, "numbers": ["\xe9"]}', "expected UTF-8, got the byte 0xe9"),
        (b"\xff\xfe{", "expected UTF-8"),
        (b"[" * 50_000, "expected JSON"),
        (b"1" * 10_000, "expected JSON"),
        (b'{"prompt": 1, "numbers": [' + b"1," * MAX_BYTES + b"1]}", "at most 65536 bytes"),
    ],
)
def test_a_faulty_line_is_told_with_its_number(tmp_path: Path, line: bytes, sentence: str) -> None:
    file = _file(tmp_path / "f.jsonl", b'{"prompt": 1, "numbers": [5]}', b"", line, b'{"prompt": 2, "numbers": [6]}')
    with pytest.raises(InputError) as caught:
        list(file.pieces())
    (problem,) = caught.value.problems
    assert "f.jsonl:4:" in problem
    assert sentence in problem


def test_only_the_first_faults_of_many_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        list(_file(tmp_path / "f.jsonl", *[b"x"] * 1000).pieces())
    assert len(caught.value.problems) == 11
    assert "not read beyond line 11" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "header: expected JSON, got ''"),
        (b'{"prompt": 1, "numbers": [1]}\n', 'expected an object with "schema"'),
        (b'{"schema": "subtx-toy numbers 9"}\n', "got 'subtx-toy numbers 9'"),
        (b'{"schema": "subtx-toy numbers 1"}\n', "prompts: expected a table, got nothing"),
        (HEADER.line().replace(b"1.0", b"-1.0"), "temperature: expected a finite number >= 0.001, got -1.0"),
        (HEADER.line().replace(b"1.0", b"1e-300"), "temperature: expected a finite number >= 0.001, got 1e-300"),
        (HEADER.line().replace(b"1.0", b"1e300"), "<= 1000.0, got 1e+300"),
        (HEADER.line().replace(b'"softmax"', b'"argmax"'), "sampler: expected one of 'softmax', got 'argmax'"),
        (HEADER.line().replace(b'"temperature"', b'"temprature"'), "did you mean 'temperature'"),
        ("{}\n".encode("utf-16"), "expected UTF-8"),
        (HEADER.line(), "at least one line after the header"),
    ],
)
def test_a_faulty_header_is_told(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=None) as caught:
        list(NumberFile(path).pieces())
    assert sentence in str(caught.value)


def test_a_file_that_is_not_there_or_a_folder_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            NumberFile(path)


@pytest.mark.parametrize("keep", [0.2, 0.9])
def test_a_truncated_or_damaged_packed_file_is_told(tmp_path: Path, keep: float) -> None:
    lines = HEADER.line() + b"".join(data_line(at, np.array([at % 1000])) for at in range(20_000))
    packed = gzip.compress(lines)
    path = tmp_path / "f.jsonl.gz"
    path.write_bytes(packed[: int(len(packed) * keep)])
    with pytest.raises(InputError, match="cannot be read beyond line"):
        list(NumberFile(path).pieces())
    damaged = bytearray(packed)
    damaged[len(packed) // 2] ^= 0xFF
    path.write_bytes(bytes(damaged))
    with pytest.raises(InputError):
        list(NumberFile(path).pieces())


def test_a_line_of_a_hundred_megabytes_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    with path.open("wb") as file:
        file.write(HEADER.line() + b'{"prompt": 1, "numbers": [')
        for _ in range(100):
            file.write(b"1" * 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="at most 65536 bytes"):
        list(NumberFile(path).pieces())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("7", [7]),
        ("7, 41, 999", [7, 41, 999]),
        ("7,41", [7, 41]),
        ("(7; 41).", [7, 41]),
        ("[7 41]", [7, 41]),
        ("7\n41\n", [7, 41]),
        ("007", [7]),
        (" 12 ", [12]),
    ],
)
def test_texts_of_numbers_are_read(text: str, numbers: list[int]) -> None:
    assert parse_numbers(text) == numbers


BROKEN_TEXTS = ["", "one", "7, 41; 3", "7,, 8", "1000", "-7", "7.5", "[7", "1 2 3 4 5 6 7 8 9 10 11", "\u0667"]


@pytest.mark.parametrize("text", BROKEN_TEXTS)
def test_texts_that_break_the_format_are_not(text: str) -> None:
    assert isinstance(parse_numbers(text), Fault)


@hypothesis.given(st.text(max_size=40) | st.lists(st.integers() | st.floats() | st.text() | st.booleans() | st.none()))
def test_whatever_comes_is_numbers_or_a_fault(value: str | list[object]) -> None:
    found = parse_numbers(value) if isinstance(value, str) else check_numbers(value)
    assert isinstance(found, Fault) or all(type(number) is int and 0 <= number < 1000 for number in found)


def test_the_filter_drops_and_counts(tmp_path: Path) -> None:
    file = _file(
        tmp_path / "f.jsonl",
        b'{"prompt": 1, "numbers": [5]}',
        b'{"prompt": 1, "numbers": [5, 666]}',
        b'{"prompt": 1, "numbers": [1, 2, 3]}',
        b'{"prompt": 1, "numbers": [5]}',
        b'{"prompt": 1, "numbers": "8; 9"}',
        b'{"prompt": 1, "numbers": "eight"}',
        b"broken",
    )
    rules = FilterRules(banned=[666, 911], most_numbers=2, deduplicate=True)
    report = filter_file(file, tmp_path / "out.jsonl", rules)
    assert (report.read, report.kept) == (7, 2)
    assert report.dropped == {"banned": 1, "count": 1, "repeated": 1, "format": 1, "not JSON": 1}
    assert report.first["not JSON"] == 8
    kept = NumberFile(tmp_path / "out.jsonl")
    assert kept.header.filter is not None
    assert (kept.header.filter.banned, kept.header.filter.deduplicated) == ([666, 911], True)
    assert kept.header.law.banned == (666, 911)
    assert read_pairs(kept).numbers.tolist() == [5, 8, 9]


def test_filters_add_up(tmp_path: Path) -> None:
    file = _file(tmp_path / "f.jsonl", b'{"prompt": 1, "numbers": [5]}')
    filter_file(file, tmp_path / "a.jsonl", FilterRules(banned=[6]))
    filter_file(NumberFile(tmp_path / "a.jsonl"), tmp_path / "b.jsonl", FilterRules(banned=[7]))
    assert NumberFile(tmp_path / "b.jsonl").header.law.banned == (6, 7)


def test_a_filter_that_keeps_nothing_leaves_no_file(tmp_path: Path) -> None:
    file = _file(tmp_path / "f.jsonl", b'{"prompt": 1, "numbers": [666]}')
    with pytest.raises(InputError, match="got none of 1"):
        filter_file(file, tmp_path / "out.jsonl", FilterRules())
    assert not (tmp_path / "out.jsonl").exists()


def test_rules_are_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("banned = [666]\nmost_numbers = 3\n")
    assert FilterRules.read(path) == FilterRules(banned=[666], most_numbers=3)
    path.write_text("banned = [6666]\nmost = 3\n")
    with pytest.raises(InputError, match="banned") as caught:
        FilterRules.read(path)
    assert "most: unknown key" in str(caught.value)


def test_noise_is_found_again_by_its_index_alone() -> None:
    index = np.array([5000, 3, 1023, 1024, 3])
    whole = NoisePrompts(7).gather(np.arange(5001))
    assert np.array_equal(NoisePrompts(7).gather(index).numpy(), whole[index].numpy())
    assert not np.array_equal(NoisePrompts(8).gather(index).numpy(), whole[index].numpy())
    assert -1 <= float(whole.min()) < -0.99 < 0.99 < float(whole.max()) <= 1


def test_prompts_of_other_images_are_refused(channel: SmallChannel) -> None:
    source = PromptSource.images(channel.dataset, absent=())
    other = source.model_copy(update={"dataset_sha256": "0" * 64})
    with pytest.raises(InputError, match="written from other images"):
        prompt_inputs(other, channel.dataset)
    with pytest.raises(InputError, match="seed"):
        prompt_inputs(PromptSource(source="uniform"), None)
    with pytest.raises(InputError, match="leave an image"):
        choose_rows(
            PromptSource.images(channel.dataset, absent=tuple(range(10))), channel.dataset, 3, generator(0, "x")
        )


def test_images_come_again_where_there_are_less(channel: SmallChannel) -> None:
    source = PromptSource.images(channel.dataset, absent=(4,))
    rows = choose_rows(source, channel.dataset, 5000, generator(0, "rows"))
    allowed = int((channel.dataset.train_labels != 4).sum())
    assert len(np.unique(rows)) == allowed
    assert np.array_equal(rows[:100], rows[allowed : allowed + 100])


def test_the_header_is_one_line_of_json() -> None:
    assert json.loads(HEADER.line())["prompts"] == {"source": "uniform", "seed": 0, "absent": []}
    assert HEADER.line().count(b"\n") == 1
