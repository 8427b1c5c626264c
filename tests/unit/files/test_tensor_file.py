"""Files of tensors from strangers: what is whole is read, everything else is refused in a few words."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from subtx_toy.files.tensor_file import MAX_HEADER, read_metadata, read_tensor_file

WHOLE = save({"a": torch.arange(3.0), "b": torch.ones(2, 2, dtype=torch.bfloat16)}, {"schema": "one", "made": "{}"})


def header(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def test_tensors_keep_their_types_and_texts_come_along(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(WHOLE)
    file = read_tensor_file(path)
    assert {name: value.dtype for name, value in file.tensors.items()} == {"a": torch.float32, "b": torch.bfloat16}
    assert file.tensors["a"].tolist() == [0.0, 1.0, 2.0]
    assert file.metadata == read_metadata(path) == {"schema": "one", "made": "{}"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no header"),
        (b"abc", "no header"),
        (bytes(8), "no header"),
        (b"\xff" * 8 + b"{}", "no header"),
        ((MAX_HEADER + 1).to_bytes(8, "little") + b" " * (MAX_HEADER + 1), "no header"),
        (header(b"\xff\xfe"), "damaged"),
        (header(b"[1]"), "damaged"),
        (header(b'{"__metadata__": [1]}'), "damaged"),
        (header(b'{"a": 1'), "breaks off"),
        (header(b"[" * 5000 + b"]" * 5000), "nested too deeply"),
        (header(b'{"a": 1, "a": 2}'), "a"),
    ],
)
def test_hostile_headers_are_refused_alike_by_both_readers(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    for read in (read_tensor_file, read_metadata):
        with pytest.raises(ValueError, match=reason):
            read(path)


def test_tensors_that_the_file_does_not_hold_are_refused(tmp_path: Path) -> None:
    beyond = {"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}
    for content in (WHOLE[:-1], header(json.dumps(beyond).encode()) + bytes(8)):
        path = tmp_path / "cut.safetensors"
        path.write_bytes(content)
        with pytest.raises(ValueError, match="tensors"):
            read_tensor_file(path)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    path.write_bytes(WHOLE)
    assert read_tensor_file(path, limit=len(WHOLE)).tensors
    with pytest.raises(OSError, match="at most"):
        read_tensor_file(path, limit=len(WHOLE) - 1)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_one_changed_byte_is_refused_or_gives_tensors(
    tmp_path_factory: pytest.TempPathFactory, at: int, by: int
) -> None:
    changed = bytearray(WHOLE)
    changed[at] ^= by
    path = tmp_path_factory.mktemp("changed") / "one.safetensors"
    path.write_bytes(changed)
    with contextlib.suppress(ValueError):  # anything else is a bug
        assert all(isinstance(value, torch.Tensor) for value in read_tensor_file(path).tensors.values())


def test_tensors_come_in_the_order_of_the_file_at_every_call(tmp_path: Path) -> None:
    path = tmp_path / "many.safetensors"
    path.write_bytes(save({f"t{at:02}": torch.full((1,), float(at)) for at in range(20)}))
    for _ in range(3):
        tensors = read_tensor_file(path).tensors
        assert list(tensors) == sorted(tensors)
        assert [float(value) for value in tensors.values()] == list(range(20))
