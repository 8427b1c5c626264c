"""Arrays in files of others: their headers are read first, and no pickle ever is."""

from __future__ import annotations

import io
import math
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from typing import IO, Any, NamedTuple

import numpy as np

from subtx_toy.settings.messages import nearest

_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_HEADER = 4096  # bytes within which the header of an array has to end

Open = Callable[[], IO[Any]]


class AnnouncedArray(NamedTuple):
    """An array as its header announces it; ``offset`` bytes of the stream come before the numbers."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    offset: int
    open: Open

    @property
    def size(self) -> int:
        """Of its numbers, in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self) -> np.ndarray | str:
        """Return the array, or what is wrong with it; reads no further than one byte past ``size``."""
        try:
            with self.open() as stream:
                stream.read(self.offset)
                raw = stream.read(self.size + 1)  # at the end of a compressed stream its checksum is compared
            return np.frombuffer(raw, self.dtype).reshape(self.shape, order="F" if self.fortran else "C")
        except Exception:  # a damaged file can fail in any way, and another length does not fit the shape
            return f"expected {self.size} bytes after the header, got a damaged or truncated array"


def npz_members(archive: zipfile.ZipFile, keys: Iterable[str]) -> dict[str, Open | str]:
    """Return how to open each array of an ``.npz`` file, or that there is no such array."""
    bounded = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others are decompressed further than was asked for
    names = [info.filename.removesuffix(".npy") for info in archive.infolist() if info.compress_type in bounded]
    listed = ", ".join(map(repr, names[:6])) or "none"
    found: dict[str, Open | str] = {}
    for key in keys:
        found[key] = partial(archive.open, f"{key}.npy")
        if key not in names:
            found[key] = f"expected an array of this name, got {listed}{nearest(key, names[:100])}"
        elif names.count(key) > 1:
            found[key] = f"expected one array of this name, got {names.count(key)}"
    return found


def announced(opened: Open) -> AnnouncedArray | str:
    """Read the header of an IDX or npy file."""
    try:
        with opened() as stream:
            start = io.BytesIO(stream.read(_HEADER))
        if start.getvalue()[:2] == b"\0\0":
            kind, dimensions = start.read(4)[2:]
            shape = struct.unpack(f">{dimensions}I", start.read(4 * dimensions))
            return AnnouncedArray(shape, False, np.dtype(_IDX_TYPES[kind]), start.tell(), opened)
        formats = np.lib.format
        readers = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of headers that Python 2 wrote
            return AnnouncedArray(*readers[formats.read_magic(start)](start), start.tell(), opened)
    except Exception:  # a damaged file can fail in any way
        return "expected an array of numbers, got something else or a damaged header"
