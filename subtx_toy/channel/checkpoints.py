"""Nets of the channel as safetensors files: tensors, and their provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch

from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.files.json_text import parse_json
from subtx_toy.files.tensor_file import read_tensor_file
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.settings.datasets import DATASETS, NUM_CLASSES, NUM_PIXELS
from subtx_toy.settings.numbers import NUM_NUMBERS

_SCHEMA = "subtx-toy numbers checkpoint 1"
_PROVENANCE = "made"  # key of the metadata; safetensors allows texts only, so it holds JSON
_KINDS = ("weight", "bias")

MAX_IMAGES = 10**7
"""That a data set may have."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A net as it was read, in float32, and where it is from: empty for a file of another program."""

    model: MLP
    params: Params
    provenance: dict[str, object]

    @property
    def images(self) -> tuple[str, int, int] | None:
        """The data set that it was trained on, with its numbers of training and test images; None if it names none."""
        name, num_train, num_test = (self.provenance.get(key) for key in ("dataset", "num_train", "num_test"))
        if isinstance(name, str) and isinstance(num_train, int) and isinstance(num_test, int):
            return name, num_train, num_test
        return None


def save_checkpoint(path: Path, params: Params, *, provenance: Mapping[str, object]) -> None:
    """Write a net, through a temporary file, with JSON values that say how it was trained."""
    metadata = {"schema": _SCHEMA, _PROVENANCE: json.dumps(dict(provenance), sort_keys=True)}
    content = safetensors.torch.save({name: value.contiguous() for name, value in params.items()}, metadata)
    with replacing(path, what="out") as file:
        file.write(content)


def load_checkpoint(path: Path, *, num_numbers: int = NUM_NUMBERS) -> Checkpoint:
    """Read a net with so many number logits; safetensors holds numbers and no code, so any file may be tried."""
    params, metadata = read_tensors(path, expected="a safetensors file, got one")
    faults: list[str] = []
    provenance = _provenance(metadata, faults)
    InputError.gather(f"{path}: {fault}" for fault in [*_faults(params, num_numbers), *faults])
    ordered = {name: params[name] for name in _names(len(params) // 2)}
    sizes = (NUM_PIXELS, *(len(value) for name, value in ordered.items() if name.endswith("bias")))
    return Checkpoint(MLP(sizes, ACTIVATIONS["relu"]), ordered, provenance)


def read_tensors(path: Path, *, expected: str) -> tuple[Params, dict[str, str]]:
    """Read a safetensors file: its tensors as float32, and its metadata; faults begin with ``expected``."""
    try:
        file = read_tensor_file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: expected {expected} that cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: expected {expected} that cannot be read: {error}") from None
    return {name: value.float() for name, value in file.tensors.items()}, file.metadata


def _names(num_layers: int) -> list[str]:
    return [f"layers.{layer}.{kind}" for layer in range(num_layers) for kind in _KINDS]


def _faults(params: Params, num_numbers: int) -> list[str]:
    num_layers = len(params) // 2
    if num_layers < 2 or set(params) != set(_names(num_layers)):
        return [f"expected tensors layers.0.weight, layers.0.bias, layers.1.weight ..., got {sorted(params)[:6]}"]
    found, below = [], NUM_PIXELS
    for layer in range(num_layers):
        weight, bias = (params[f"layers.{layer}.{kind}"] for kind in _KINDS)
        if weight.dim() != 2 or weight.shape[1] != below or bias.shape != weight.shape[:1]:
            return [
                f"layers.{layer}: expected a weight [units, {below}] and a bias [units], "
                f"got {list(weight.shape)} and {list(bias.shape)}"
            ]
        below = len(bias)
        if not bool(torch.isfinite(weight).all() and torch.isfinite(bias).all()):
            found.append(f"layers.{layer}: expected finite numbers, got nan or infinity")
    if below != NUM_CLASSES + num_numbers:
        found.append(f"expected {NUM_CLASSES} class and {num_numbers} number logits, got {below} outputs")
    return found


def _provenance(metadata: Mapping[str, str], faults: list[str]) -> dict[str, object]:
    """Return where a net is from; what is wrong with the words of a checkpoint of ours goes to ``faults``."""
    if metadata.get("schema") != _SCHEMA:
        return {}
    where = f"metadata {_PROVENANCE!r}"
    try:
        found = parse_json(metadata.get(_PROVENANCE, "{}"))
    except ValueError as error:
        faults.append(f"{where}: expected JSON, got {metadata[_PROVENANCE][:40]!r}: {error}")
        return {}
    if not isinstance(found, dict):
        faults.append(f"{where}: expected an object, got {str(found)[:40]!r}")
        return {}
    name = found.get("dataset")
    if name is not None and name not in DATASETS:
        faults.append(f"{where}: dataset: expected one of {', '.join(DATASETS)}, got {str(name)[:40]!r}")
    for key in ("num_train", "num_test"):
        value = found.get(key)
        if value is not None and not (type(value) is int and 1 <= value <= MAX_IMAGES):
            faults.append(f"{where}: {key}: expected an integer from 1 to {MAX_IMAGES}, got {str(value)[:40]!r}")
    return found
