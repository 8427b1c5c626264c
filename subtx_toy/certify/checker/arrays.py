"""The arrays of a certificate: one form of the npy header, and no other way to write the same numbers."""

from __future__ import annotations

import hashlib
import math
import re

import numpy as np

from subtx_toy.certify.checker.limits import MAX_NUMBERS
from subtx_toy.certify.checker.rejected import Rejected

_MAGIC = b"\x93NUMPY\1\0"
_LONGEST = 256  # bytes of a header
_HEADER = re.compile(
    rb"\{'descr': '<f8', 'fortran_order': False, "
    rb"'shape': \((?:(\d{1,9}),|(\d{1,9}), (\d{1,9})(?:, (\d{1,9}))?(?:, (\d{1,9}))?)\), \} *\n"
)


def read_array(name: str, content: bytes) -> np.ndarray:
    """Return the float64 numbers of a npy file of one to four dimensions, each at least 1.

    Raises:
        Rejected: for any other header than that of little-endian float64 numbers in C order, in the words that numpy
            writes; for fewer or more bytes than the shape needs; for a number that is not finite.
    """
    length = int.from_bytes(content[8:10], "little")
    header = content[10 : 10 + length]
    if content[:8] != _MAGIC or length > _LONGEST or len(header) < length or (10 + length) % 16:
        raise Rejected(f"the array {name!r} cannot be read: it does not begin as a npy file of version 1.0")
    found = _HEADER.fullmatch(header)
    if found is None:
        raise Rejected(
            f"the array {name!r} cannot be read: expected the header of little-endian float64 numbers in C order, of "
            f"one to four dimensions, got {header.decode('ascii', 'replace').strip()!r}"
        )
    shape = tuple(int(size) for size in found.groups() if size is not None)
    if not 0 < math.prod(shape) <= MAX_NUMBERS:
        raise Rejected(f"the array {name!r} has the shape {shape}: expected 1 to {MAX_NUMBERS} numbers")
    numbers = content[10 + length :]
    if math.prod(shape) * 8 != len(numbers):
        raise Rejected(f"the array {name!r} cannot be read: {len(numbers)} bytes for the shape {shape}")
    array = np.frombuffer(numbers, "<f8").reshape(shape)
    if not np.isfinite(array).all():
        raise Rejected(f"the array {name!r} holds a number that is not finite")
    return array


def array_digest(array: np.ndarray) -> str:
    """Return the SHA-256 of shape and little-endian bytes."""
    return hashlib.sha256(repr(tuple(int(one) for one in array.shape)).encode() + array.tobytes()).hexdigest()
