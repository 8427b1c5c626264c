from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from subtx_toy.data import idx
from subtx_toy.data.idx import IdxFile

IMAGES = np.arange(2 * 28 * 28, dtype=np.int64).reshape(2, 28, 28).astype(np.uint8)
RAW = idx.encode(IMAGES)
FILE = IdxFile("train-images-idx3-ubyte", (2, 28, 28), hashlib.sha256(RAW).hexdigest())


def test_bytes_are_those_of_the_published_format() -> None:
    assert RAW[:16] == struct.pack(">4I", 0x803, 2, 28, 28)
    assert RAW[16:] == IMAGES.tobytes()
    assert len(RAW) == FILE.size


def test_an_array_survives_encoding_and_reading(tmp_path: Path) -> None:
    path = tmp_path / FILE.stem
    path.write_bytes(RAW)
    back = idx.read(path, FILE)
    assert isinstance(back, np.ndarray)
    np.testing.assert_array_equal(back, IMAGES)
    assert not back.flags.writeable


def test_the_right_file_has_no_fault() -> None:
    assert idx.fault(RAW, FILE) is None
    assert idx.fault(np.frombuffer(RAW, np.uint8).data, FILE) is None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (RAW[:-1], f"expected {len(RAW)} bytes, got {len(RAW) - 1} (truncated)"),
        (RAW[:16], "(truncated)"),
        (RAW + b"\0", "(too long)"),
        (RAW[:-1] + b"\7", "(corrupt, or another data set)"),
        (b"", "got a file that is not IDX (it starts with nothing)"),
        (RAW[:3], "got a file that is not IDX (it starts with 000008)"),
        (b"\x1f\x8b\x08\x00" + RAW, "got a file that is not IDX (it starts with 1f8b0800)"),
        (b"\0\0\x0d\x03" + RAW[4:], "got IDX numbers of type 0x0d (unsigned bytes are 0x08)"),
        (struct.pack(">2I", 0x801, 2) + b"\1\2", "got IDX labels of unsigned bytes with 1 dimension(s) 2"),
        (struct.pack(">4I", 0x803, 3, 28, 28) + RAW[16:], "with 3 dimension(s) 3 x 28 x 28"),
        (RAW[:8], "with 3 dimension(s) 2 x ..."),
    ],
)
def test_a_wrong_file_is_described(raw: bytes, message: str) -> None:
    what = idx.fault(raw, FILE)
    assert what is not None
    assert "expected" in what
    assert message in what


def test_content_of_another_file_of_the_set_is_called_exchanged() -> None:
    other = IdxFile("t10k-images-idx3-ubyte", (2, 28, 28), hashlib.sha256(RAW).hexdigest())
    wanted = IdxFile("train-images-idx3-ubyte", (2, 28, 28), "00")
    assert idx.fault(RAW, wanted, others=(other,)) == (
        "expected the content of train-images-idx3-ubyte, got that of t10k-images-idx3-ubyte (files exchanged?)"
    )
