"""Nets of the channel as safetensors files: tensors, and their provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.settings.base import NUM_CLASSES, NUM_PIXELS
from subtx_toy.settings.numbers import NUM_NUMBERS

_SCHEMA = "subtx-toy numbers checkpoint 1"
_PROVENANCE = "made"  # key of the metadata; safetensors allows texts only, so it holds JSON
_KINDS = ("weight", "bias")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A net as it was read, in float32, and where it is from: empty for a file of another program."""

    model: MLP
    params: Params
    provenance: dict[str, object]


def save_checkpoint(path: Path, params: Params, *, provenance: Mapping[str, object]) -> None:
    """Write a net, through a temporary file, with JSON values that say how it was trained."""
    metadata = {"schema": _SCHEMA, _PROVENANCE: json.dumps(dict(provenance), sort_keys=True)}
    content = safetensors.torch.save({name: value.contiguous() for name, value in params.items()}, metadata)
    with replacing(path) as file:
        file.write(content)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a net; safetensors holds numbers and no code, so any file may be tried."""
    params, metadata = read_tensors(path, expected="a safetensors file, got one")
    InputError.gather(f"{path}: {fault}" for fault in _faults(params))
    ordered = {name: params[name] for name in _names(len(params) // 2)}
    sizes = (NUM_PIXELS, *(len(value) for name, value in ordered.items() if name.endswith("bias")))
    return Checkpoint(MLP(sizes, ACTIVATIONS["relu"]), ordered, _provenance(metadata))


def read_tensors(path: Path, *, expected: str) -> tuple[Params, dict[str, str]]:
    """Read a safetensors file: its tensors as float32, and its metadata."""
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118, it is no mapping
            return tensors, dict(file.metadata() or {})
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, safetensors.SafetensorError, RuntimeError) as error:
        raise InputError(f"{path}: expected {expected} that cannot be read: {error}") from None


def _names(num_layers: int) -> list[str]:
    return [f"layers.{layer}.{kind}" for layer in range(num_layers) for kind in _KINDS]


def _faults(params: Params) -> list[str]:
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
    if below != NUM_CLASSES + NUM_NUMBERS:
        found.append(f"expected {NUM_CLASSES} class and {NUM_NUMBERS} number logits, got {below} outputs")
    return found


def _provenance(metadata: Mapping[str, str]) -> dict[str, object]:
    try:
        found = json.loads(metadata.get(_PROVENANCE, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
