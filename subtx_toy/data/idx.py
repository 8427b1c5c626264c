"""The IDX format (LeCun, Cortes, Burges, "The MNIST database", section "File formats").

Two zero bytes, a code for the type (8: unsigned byte), the number of dimensions, each dimension as a 32-bit
big-endian integer, then the numbers, last dimension fastest.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from subtx_toy.files.input_file import read_input

_UNSIGNED_BYTE = 8
_SLACK = 1 << 16  # bytes that gzip may add to a file it cannot compress
_KINDS = {1: "labels", 3: "images"}
STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
"""The usual names of a data set's four files, in the order of a data set's four arrays."""


@dataclass(frozen=True)
class IdxFile:
    """What one file has to hold: its usual name without ``.gz``, its array's shape, and its SHA-256 uncompressed."""

    stem: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        """The length of the uncompressed file in bytes."""
        return len(header(self.shape)) + math.prod(self.shape)


def header(shape: tuple[int, ...]) -> bytes:
    """Return the first bytes of the IDX file of a uint8 array.

    >>> header((2, 28, 28)).hex()
    '00000803000000020000001c0000001c'
    """
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, _UNSIGNED_BYTE, len(shape), *shape)


def encode(array: np.ndarray) -> bytes:
    """Return a uint8 array as the bytes of an IDX file."""
    return header(array.shape) + array.tobytes()


def read(path: Path, file: IdxFile, *, others: tuple[IdxFile, ...] = ()) -> np.ndarray | str:
    """Return the array in a file, read-only and mapped into memory unless it is packed, or what is wrong with it."""
    try:
        packed = path.suffix == ".gz"
        content = read_input(path, limit=file.size + _SLACK) if packed else b""
        raw = np.frombuffer(gunzip(content, file.size), np.uint8) if packed else np.memmap(path, mode="r")
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        return f"{path}: expected {file.size} bytes of {file.stem}, got: {getattr(error, 'strerror', None) or error}"
    what = fault(raw.data, file, others=others)
    return f"{path}: {what}" if what else raw[len(header(file.shape)) :].reshape(file.shape)


def gunzip(packed: bytes, size: int) -> bytes:
    """Return the content of a gzip file, reading no further than one byte past ``size``; OSError if it is none."""
    try:
        with gzip.open(io.BytesIO(packed)) as stream:
            return stream.read(size + 1)
    except (EOFError, zlib.error) as error:
        raise OSError(f"a truncated or corrupt gzip file ({error})") from error


def fault(raw: bytes | memoryview, file: IdxFile, *, others: tuple[IdxFile, ...] = ()) -> str | None:
    """Say what is wrong with an uncompressed file, or return None; content of one of ``others`` counts as exchanged."""
    digest = hashlib.sha256(raw).hexdigest()
    if digest == file.sha256:
        return None
    for other in others:
        if digest == other.sha256:
            return f"expected the content of {file.stem}, got that of {other.stem} (files exchanged?)"
    expected = header(file.shape)
    start = bytes(raw[: len(expected)])
    if start != expected:
        return f"expected {_describe(expected)}, got {_describe(start)}"
    if len(raw) != file.size:
        return f"expected {file.size} bytes, got {len(raw)} ({'truncated' if len(raw) < file.size else 'too long'})"
    return f"expected content with sha256 {file.sha256}, got {digest} (corrupt, or another data set)"


def _describe(start: bytes) -> str:
    """Say in words what an IDX header announces."""
    if len(start) < 4 or start[:2] != b"\0\0":
        return f"a file that is not IDX (it starts with {start[:4].hex() or 'nothing'})"
    kind, dimensions = start[2], start[3]
    if kind != _UNSIGNED_BYTE:
        return f"IDX numbers of type 0x{kind:02x} (unsigned bytes are 0x08)"
    shape = struct.unpack_from(f">{(len(start) - 4) // 4}I", start, 4)[:dimensions]
    sizes = " x ".join(map(str, shape)) + (" x ..." if dimensions > len(shape) else "")
    return f"IDX {_KINDS.get(dimensions, 'data')} of unsigned bytes with {dimensions} dimension(s) {sizes}"
