"""The IDX format: big-endian sizes in front of raw bytes.

An IDX file starts with two zero bytes, a code for the type of its numbers (8: unsigned byte), the number of
dimensions and each dimension as a 32-bit big-endian integer; the numbers follow, last dimension fastest.

Reference: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass

import numpy as np

_UNSIGNED_BYTE = 8
_KINDS = {1: "labels", 3: "images"}


@dataclass(frozen=True)
class IdxFile:
    """What one file has to hold.

    Attributes:
        stem: its usual name without ``.gz``, such as ``train-images-idx3-ubyte``.
        shape: of the array of bytes in it.
        sha256: of the whole uncompressed file, in hex.
    """

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


def decode(raw: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array [*shape] in the bytes of an IDX file that ``fault`` found right; read-only."""
    return np.frombuffer(raw, np.uint8, offset=len(header(shape))).reshape(shape)


def fault(raw: bytes | memoryview, file: IdxFile, *, others: tuple[IdxFile, ...] = ()) -> str | None:
    """Say what is wrong with the content of a file, or return None if it is exactly the file expected.

    Args:
        raw: the whole uncompressed file.
        file: what it has to be.
        others: the other files of its data set; content of one of them is reported as exchanged.

    Returns:
        a phrase of the form *expected ..., got ...*.
    """
    digest = hashlib.sha256(raw).hexdigest()
    if digest == file.sha256:
        return None
    for other in others:
        if digest == other.sha256:
            return f"expected the content of {file.stem}, got that of {other.stem} (files exchanged?)"
    start = bytes(raw[: len(header(file.shape))])
    if start == header(file.shape):
        if len(raw) != file.size:
            how = "truncated" if len(raw) < file.size else "too long"
            return f"expected {file.size} bytes, got {len(raw)} ({how})"
        return f"expected content with sha256 {file.sha256}, got {digest} (corrupt, or another data set)"
    return f"expected {_describe(header(file.shape))}, got {_describe(start)}"


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
