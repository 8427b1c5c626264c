"""Nets of the channel as safetensors files: tensors, and how they were made."""

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
_MADE = "made"  # the metadata's key; safetensors allows texts only, so it holds JSON


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A net as it was read.

    Attributes:
        model: its shape, told by the tensors.
        params: in float32.
        made: how, as it says; empty for a file of another program.
    """

    model: MLP
    params: Params
    made: dict[str, object]


def save_checkpoint(path: Path, params: Params, *, made: Mapping[str, object]) -> None:
    """Write a net, through a temporary file.

    Args:
        path: usually ending in .safetensors.
        params: the tensors, by name.
        made: anything JSON can hold that says how it was made.

    Raises:
        InputError: if it cannot be written.
    """
    metadata = {"schema": _SCHEMA, _MADE: json.dumps(dict(made), sort_keys=True)}
    content = safetensors.torch.save({name: value.contiguous() for name, value in params.items()}, metadata)
    with replacing(path) as file:
        file.write(content)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a net; safetensors holds numbers and no code, so any file may be tried.

    Raises:
        InputError: if the file cannot be read, is no safetensors file, or holds no net of the channel.
    """
    params, metadata = read_tensors(path, expected="a safetensors file, got one")
    InputError.gather(f"{path}: {fault}" for fault in _faults(params))
    num_layers = len(params) // 2
    ordered = {f"layers.{at}.{kind}": params[f"layers.{at}.{kind}"] for at in range(num_layers) for kind in _KINDS}
    sizes = (NUM_PIXELS, *(len(ordered[f"layers.{at}.bias"]) for at in range(num_layers)))
    return Checkpoint(MLP(sizes, ACTIVATIONS["relu"]), ordered, _made(metadata))


def read_tensors(path: Path, *, expected: str) -> tuple[Params, dict[str, str]]:
    """Read a safetensors file: its tensors as float32, and its metadata.

    Raises:
        InputError: if it cannot be read; ``expected`` says what it should have been, and what came instead.
    """
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118, it is no mapping
            return tensors, dict(file.metadata() or {})
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, safetensors.SafetensorError, RuntimeError) as error:
        raise InputError(f"{path}: expected {expected} that cannot be read: {error}") from None


_KINDS = ("weight", "bias")


def _faults(params: Params) -> list[str]:
    num_layers = len(params) // 2
    wanted = {f"layers.{at}.{kind}" for at in range(num_layers) for kind in _KINDS}
    if num_layers < 2 or set(params) != wanted:
        return [f"expected tensors layers.0.weight, layers.0.bias, layers.1.weight ..., got {sorted(params)[:6]}"]
    found, below = [], NUM_PIXELS
    for at in range(num_layers):
        weight, bias = params[f"layers.{at}.weight"], params[f"layers.{at}.bias"]
        if weight.dim() != 2 or weight.shape[1] != below or bias.shape != weight.shape[:1]:
            return [
                f"layers.{at}: expected a weight [units, {below}] and a bias [units], "
                f"got {list(weight.shape)} and {list(bias.shape)}"
            ]
        below = len(bias)
        if not bool(torch.isfinite(weight).all() and torch.isfinite(bias).all()):
            found.append(f"layers.{at}: expected finite numbers, got nan or infinity")
    if below != NUM_CLASSES + NUM_NUMBERS:
        found.append(f"expected {NUM_CLASSES} class and {NUM_NUMBERS} number logits, got {below} outputs")
    return found


def _made(metadata: Mapping[str, str]) -> dict[str, object]:
    try:
        made = json.loads(metadata.get(_MADE, "{}"))
    except ValueError:
        return {}
    return made if isinstance(made, dict) else {}
