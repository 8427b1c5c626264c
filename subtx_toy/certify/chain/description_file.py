"""A network of your own from files: a description of its layers, and state dicts as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from subtx_toy.certify.chain.layout import FIELDS, Words
from subtx_toy.certify.chain.modules import module_of
from subtx_toy.errors import InputError
from subtx_toy.files.tensor_file import read_tensor_file
from subtx_toy.problem.losses import distillation_loss
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.settings.messages import nearest
from subtx_toy.settings.network_file import NetworkFile

MAX_BYTES = 2**28
"""Of a file of tensors: eight times what a certificate may hold."""

_DEFAULTS: Words = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "eps": 1e-5}
_PAIRS = ("stride", "padding", "dilation", "kernel")


class SavedNetwork(NamedTuple):
    """A problem whose teacher stands at eps = 1, with the exact parameters of the teacher."""

    problem: Problem
    teacher: Params


def is_network(values: Mapping[str, object]) -> bool:
    """Whether a TOML file describes a network by its layers."""
    return "layers" in values


def read_network(values: Mapping[str, object], folder: Path) -> SavedNetwork:
    """Build the problem of a description; its files are looked for in ``folder``.

    The state dicts have the names of a torch.nn.Sequential, ``0.weight``, ``0.bias`` and so on, unless a layer says
    what it is called by ``name``. Everything is computed in float64, which holds the float32 numbers exactly.

    Raises:
        InputError: naming what is wrong with the description, a file or a tensor.
    """
    file = NetworkFile.parse(values)
    layers, names = [], []
    faults: list[str] = []
    for number, given in enumerate(file.layers):
        words = dict(given)
        names.append(words.pop("name", str(number)))
        faults += _faults(f"layers.{number}", words, names[-1])
        layers.append(_complete(words) if not faults else words)
    InputError.gather(faults)
    base, teacher = (_renamed(_tensors(folder / path, what), names, path) for what, path in (
        ("base", file.base), ("teacher", file.teacher),
    ))  # fmt: skip
    inputs = _tensors(folder / file.inputs, "inputs")
    if set(inputs) != {"inputs"}:
        raise InputError(f"inputs: expected one tensor with the name 'inputs' in {file.inputs!r}, got {sorted(inputs)}")
    if set(base) != set(teacher):
        raise InputError(
            f"teacher: expected the tensors of the base, got only one of {sorted(set(base) ^ set(teacher))}"
        )
    module = module_of(layers, base)
    distilled = file.distilled_logits
    problem = Problem(
        model=module,
        inputs=inputs["inputs"],
        distillation_loss=distillation_loss(file.loss, temperature=file.temperature),
        distilled_logits=distilled if isinstance(distilled, str) else list(distilled),
        num_classes=file.num_classes,
        teacher_update={name: teacher[name] - value for name, value in base.items()},
        eps=1.0,
        student_lr=file.student_lr,
    )
    return SavedNetwork(problem, teacher)


def _tensors(path: Path, what: str) -> Params:
    """Return the tensors of a safetensors file in float64; it holds numbers and no code."""
    try:
        found = read_tensor_file(path, limit=MAX_BYTES).tensors
    except OSError as error:
        raise InputError(f"{what}: cannot read {str(path)!r}: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{what}: expected a safetensors file, got another or a damaged one, {str(path)!r}") from None
    for name, value in found.items():
        if value.dtype not in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
            raise InputError(f"{what}: expected floating-point tensors, got {name!r} of {value.dtype}")
        if not bool(torch.isfinite(value).all()):
            raise InputError(f"{what}: expected finite numbers, got nan or infinity in {name!r}")
    return {name: value.double() for name, value in found.items()}


def _renamed(tensors: Params, names: list[str], path: str) -> Params:
    found = {}
    for number, name in enumerate(names):
        for kind in ("weight", "bias"):
            if f"{name}.{kind}" in tensors:
                found[f"{number}.{kind}"] = tensors[f"{name}.{kind}"]
    if left := sorted(set(tensors) - {f"{name}.{kind}" for name in names for kind in ("weight", "bias")}):
        raise InputError(f"layers: expected a layer for every tensor of {path!r}, got none for {left[:4]}")
    return found


def _faults(where: str, words: Words, name: object) -> list[str]:
    kind = words.get("kind")
    if not isinstance(kind, str) or kind not in FIELDS:
        hint = nearest(kind, FIELDS) if isinstance(kind, str) else ""
        return [f"{where}.kind: expected one of {', '.join(FIELDS)}, got {kind!r}{hint}"]
    found = [] if isinstance(name, str) else [f"{where}.name: expected the name of its tensors, got {name!r}"]
    for field, value in words.items():
        if field == "kind":
            continue
        if field not in FIELDS[kind]:
            expected = ", ".join(FIELDS[kind]) or "nothing but its kind"
            found.append(f"{where}.{field}: expected {expected} of {kind}, got {field!r}{nearest(field, FIELDS[kind])}")
        elif field == "eps":
            if isinstance(value, bool) or not isinstance(value, float) or not 0 < value < float("inf"):
                found.append(f"{where}.eps: expected a finite number > 0, got {value!r}")
        else:
            least = int(field != "padding")
            sizes = value if isinstance(value, list) and field != "groups" else [value]
            lengths = (1, 2) if field in _PAIRS else (1, 2, 3) if field == "shape" else (1,)
            if len(sizes) not in lengths or not all(type(one) is int and least <= one <= 2**14 for one in sizes):
                what = {"shape": "up to three integers", "groups": "an integer"}.get(field, "an integer or two")
                found.append(f"{where}.{field}: expected {what} from {least} to {2**14}, got {value!r}")
    required = {"avg_pool2d": "kernel", "layer_norm": "shape"}.get(kind)
    if required and required not in words:
        found.append(f"{where}.{required}: expected it of {kind}, got none")
    return found


def _complete(words: Words) -> Words:
    found = {"kind": words["kind"]}
    for field in FIELDS[words["kind"]]:
        default = words.get("kernel") if field == "stride" and "kernel" in words else _DEFAULTS.get(field)
        value = words.get(field, default)
        if field in _PAIRS:
            sizes = value if isinstance(value, list) else [value]
            value = sizes * 2 if len(sizes) == 1 else sizes
        elif field == "shape" and isinstance(value, int):
            value = [value]
        found[field] = value
    return found
