"""Language models as safetensors files: their tensors, their shape, and what they were trained for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from subtx_toy.channel.checkpoints import read_tensors
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.files.content_key import block_key
from subtx_toy.files.json_text import parse_json
from subtx_toy.files.tensor_file import read_metadata
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.vocabulary import FIRST_NUMBER
from subtx_toy.problem.params import Params
from subtx_toy.settings.limits import MAX_LAYERS
from subtx_toy.settings.messages import quoted

_SCHEMA = "subtx-toy language model 1"
_LARGEST = 2**20


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A language model in float32, and where it is from."""

    model: Transformer
    params: Params
    provenance: dict[str, object]

    @property
    def num_numbers(self) -> int:
        """Numbers of its language."""
        return self.model.num_tokens - FIRST_NUMBER

    @property
    def checksum(self) -> str:
        """A digest of its parameters."""
        return block_key(*(value.contiguous().numpy().tobytes() for value in self.params.values()))


def save_language_model(path: Path, found: LanguageModel) -> None:
    """Write a language model, through a temporary file."""
    metadata = {
        "schema": _SCHEMA,
        "shape": json.dumps(asdict(found.model), sort_keys=True),
        "provenance": json.dumps(found.provenance, sort_keys=True),
    }
    content = safetensors.torch.save({name: value.contiguous() for name, value in found.params.items()}, metadata)
    with replacing(path, what="out") as file:
        file.write(content)


def load_language_model(path: Path) -> LanguageModel:
    """Read a language model; the file holds numbers and texts, and no code.

    Raises:
        InputError: if it is none, or its tensors do not have the shapes it announces, or are not finite.
    """
    params, metadata = read_tensors(path, expected="a language model as a safetensors file, got one")
    if metadata.get("schema") != _SCHEMA:
        raise InputError(f"{path}: expected a language model ({_SCHEMA!r}), got {quoted(metadata.get('schema'))}")
    shape, provenance = _table(path, metadata, "shape"), _table(path, metadata, "provenance")
    model = _model(path, shape)
    expected = model.shapes
    got = {name: tuple(value.shape) for name, value in params.items()}
    if expected != got:
        odd = next(name for name in (*expected, *got) if expected.get(name) != got.get(name))
        raise InputError(f"{path}: {odd}: expected the shape {expected.get(odd)}, got {got.get(odd)}")
    if not all(bool(torch.isfinite(value).all()) for value in params.values()):
        raise InputError(f"{path}: expected finite numbers, got nan or infinity")
    return LanguageModel(model, {name: params[name] for name in expected}, provenance)


def holds_language_model(path: Path) -> bool:
    """Return whether a file announces itself as one; a file that cannot be read, or a pipe, does not."""
    if not path.is_file():
        return False
    try:
        return read_metadata(path).get("schema") == _SCHEMA
    except (OSError, ValueError):
        return False


def _table(path: Path, metadata: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        found = parse_json(metadata.get(name, ""))
    except ValueError as error:
        raise InputError(f"{path}: metadata {name!r}: expected JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: metadata {name!r}: expected an object, got {quoted(found)}")
    return found


def _model(path: Path, shape: Mapping[str, Any]) -> Transformer:
    kinds: dict[str, type] = {one.name: type(one.default) for one in fields(Transformer)} | {"num_tokens": int}
    wrong = [name for name, kind in kinds.items() if type(shape.get(name)) is not kind]
    sizes = [shape[name] for name, kind in kinds.items() if kind is int and name not in wrong]
    if wrong or shape.keys() != kinds.keys() or not all(1 <= size <= _LARGEST for size in sizes):
        raise InputError(f"{path}: metadata 'shape': expected {', '.join(kinds)} of a transformer, got {quoted(shape)}")
    if shape["depth"] > MAX_LAYERS:
        raise InputError(f"{path}: depth: expected at most {MAX_LAYERS}, got {shape['depth']}")
    if shape["num_tokens"] <= FIRST_NUMBER:
        raise InputError(f"{path}: num_tokens: expected more than {FIRST_NUMBER}, got {shape['num_tokens']}")
    return Transformer(**shape)
