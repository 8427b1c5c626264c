"""Files in the safetensors format, which hold numbers and no code: bounded, and their header read before the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from subtx_toy.files.input_file import read_input
from subtx_toy.files.json_text import parse_json

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 2**30
"""Of a file, where its reader says nothing else: 270 million parameters in float32."""

MAX_HEADER = 2**22
"""Bytes that announce the tensors: 30,000 of them."""

_SIZE_BYTES = 8
_METADATA = "__metadata__"


@dataclass(frozen=True, eq=False)
class TensorFile:
    """Tensors by name, in the types they were stored in, and the texts that came with them."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def read_tensor_file(path: Path, *, limit: int = MAX_BYTES) -> TensorFile:
    """Read a file of at most ``limit`` bytes, whoever wrote it.

    Raises:
        OSError: as ``read_input``.
        ValueError: whose words say why it is no such file.
    """
    from safetensors.torch import load

    content = read_input(path, limit=limit)
    size = int.from_bytes(content[:_SIZE_BYTES], "little")
    if size > len(content) - _SIZE_BYTES:
        raise ValueError("no header")
    metadata = _metadata(size, content[_SIZE_BYTES : _SIZE_BYTES + size])
    try:
        return TensorFile(load(content), metadata)
    except Exception:  # the library raises half a dozen kinds on hostile files
        raise ValueError("damaged or truncated tensors, or another format") from None


def read_metadata(path: Path) -> dict[str, str]:
    """Return the texts that come with the tensors of a regular file; the tensors themselves are not read.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it has no header.
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(_SIZE_BYTES), "little")
        return _metadata(size, file.read(size if size <= MAX_HEADER else 0))


def _metadata(size: int, header: bytes) -> dict[str, str]:
    if not 0 < size <= MAX_HEADER or len(header) != size:
        raise ValueError("no header")
    try:
        found = parse_json(header.decode())
        return {name: value for name, value in found.get(_METADATA, {}).items() if isinstance(value, str)}
    except (AttributeError, UnicodeDecodeError):
        raise ValueError("a damaged or truncated header, or another format") from None
