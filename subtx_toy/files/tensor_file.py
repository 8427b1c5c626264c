"""Files in the safetensors format, which hold numbers and no code: bounded, and their header read before the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
_DAMAGED = "a damaged or truncated header, or another format"


@dataclass(frozen=True, eq=False)
class TensorFile:
    """Tensors by name, in the types and the order they were stored in, and the texts that came with them."""

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
    header = _header(size, content[_SIZE_BYTES : _SIZE_BYTES + size])
    metadata = _metadata(header)
    try:
        found = load(content)  # in an order that differs from call to call
        return TensorFile({name: found[name] for name in header if name != _METADATA}, metadata)
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
        return _metadata(_header(size, file.read(size if size <= MAX_HEADER else 0)))


def _header(size: int, content: bytes) -> dict[str, Any]:
    if not 0 < size <= MAX_HEADER or len(content) != size:
        raise ValueError("no header")
    try:
        found = parse_json(content.decode())
    except UnicodeDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(_DAMAGED)
    return found


def _metadata(header: Mapping[str, Any]) -> dict[str, str]:
    found = header.get(_METADATA, {})
    if not isinstance(found, dict):
        raise ValueError(_DAMAGED)
    return {name: value for name, value in found.items() if isinstance(value, str)}
