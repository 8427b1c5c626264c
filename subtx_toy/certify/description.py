"""What a certificate is about, in exact float64 numbers: a network, a ray of teachers, inputs and losses."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from subtx_toy.certify.network import described_network, network_obstacles
from subtx_toy.errors import InputError
from subtx_toy.files.content_key import seal
from subtx_toy.problem.losses import distillation_loss
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import LabelledCrossEntropy, TargetedSquaredError
from subtx_toy.settings.messages import nearest

QUANTITIES = ("alignment", "every-batch", "trait-loss", "distance")
_LEAST, _MOST, _FARTHEST = 1e-140, 1e140, 1e300
CAP = 1000.0
"""How far a search goes, in units of 1/||dT||: a teacher that far has left any regime the theory speaks of."""


@dataclass(frozen=True, eq=False)
class Description:
    """All that the claims depend on; every number stands for itself, none for a rounded real.

    The sign of ``quantity`` is to be proved; it is no part of the settings or the fingerprint. ``temperature`` is 1 for
    squared error, ``student_lr`` matters to trait-loss and distance, ``columns`` are the distilled outputs, and
    ``trait`` is ``"cross_entropy"``, ``"squared_error"``, or empty where the quantity needs none. ``arrays`` holds
    ``layers.L.weight``, ``layers.L.bias``, the same under ``direction.``, ``inputs`` and, with a trait,
    ``trait_inputs`` and ``trait_targets`` (labels as float64, or ``[n, k]``). The direction may have a second part
    under ``direction_low.``: it is the sum of both, so that a teacher stored in any precision lies on it.

    A chain beyond a perceptron names its ``layers`` and the ``input_shape`` of one input, whose numbers stand in one
    row of ``inputs``; the arrays of layer L are those that it has.
    """

    quantity: str
    activation: str
    loss: str
    temperature: float
    student_lr: float
    columns: list[int]
    trait: str
    trait_columns: list[int]
    arrays: dict[str, np.ndarray] = field(repr=False)
    layers: list[dict[str, Any]] = field(default_factory=list)
    input_shape: list[int] = field(default_factory=list)

    @property
    def num_layers(self) -> int:
        """Affine layers."""
        return sum(name.startswith("layers.") and name.endswith(".weight") for name in self.arrays)

    def base(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Return weight ``[out, in]`` and bias ``[out]`` of a layer at the shared initialisation."""
        return self.arrays[f"layers.{layer}.weight"], self.arrays[f"layers.{layer}.bias"]

    def low_direction(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the second part of a layer's direction, mostly zero."""
        W, b = self.base(layer)
        low = f"direction_low.layers.{layer}"
        return self.arrays.get(f"{low}.weight", np.zeros_like(W)), self.arrays.get(f"{low}.bias", np.zeros_like(b))

    def direction(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the first part of a layer's direction."""
        return self.arrays[f"direction.layers.{layer}.weight"], self.arrays[f"direction.layers.{layer}.bias"]

    def cap(self) -> float:
        """Return 1000 / ||dT||, to rounding."""
        parts = [value.ravel() for name, value in self.arrays.items() if name.startswith("direction.")]
        flat = np.concatenate(parts)
        top = float(np.abs(flat).max())
        if top == 0:
            raise InputError("teacher_update: expected a direction to certify along, got zero")
        with np.errstate(over="ignore"):
            norm = float(np.linalg.norm(flat))
        if not _LEAST < norm < _MOST:  # squares underflow or overflow
            norm = top * float(np.linalg.norm(flat / top))
        return min(CAP / norm, _FARTHEST)

    def settings(self) -> dict[str, object]:
        """Return everything but the quantity and the arrays, as JSON values."""
        left_out = {"quantity", "arrays"} | ({"activation"} if self.layers else {"layers", "input_shape"})
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of every array's shape and little-endian bytes."""
        return {name: _digest(value) for name, value in sorted(self.arrays.items())}

    def fingerprint(self) -> str:
        """Return the SHA-256 that names the problem: of its settings and the digests of its arrays."""
        return seal({"settings": self.settings(), "arrays": self.digests()})


def _digest(array: np.ndarray) -> str:
    little = np.ascontiguousarray(array, dtype="<f8")
    return hashlib.sha256(repr(tuple(little.shape)).encode() + little.tobytes()).hexdigest()


def describe(
    problem: Problem, quantity: str = "alignment", *, student_lr: float | None = None, teacher: Params | None = None
) -> Description:
    """Write down the exact numbers of a problem; float32 numbers count as the float64 ones they equal.

    A trained ``teacher`` stands at eps = 1: the direction is the exact difference of its parameters from the base, in
    two float64 parts where one does not hold it. ``student_lr`` replaces the problem's own.
    """
    InputError.gather(unknown_quantity(quantity) or _obstacles(problem, quantity))
    network = described_network(problem, quantity)
    base = {name: _exact(value) for name, value in network.parameters(problem.base_params).items()}
    if teacher is None:
        update = network.parameters(problem.teacher_update, frozen_as=0.0)
        arrays = base | {f"direction.{name}": _exact(update[name]) for name in base}
    else:
        arrays = base | _segment(base, {name: _exact(value) for name, value in network.parameters(teacher).items()})
    arrays["inputs"] = _exact(problem.inputs.reshape(len(problem.inputs), -1))
    numbers, trait, trait_columns = list(range(network.num_outputs)), "", list[int]()
    if quantity == "trait-loss":
        assert problem.trait_loss is not None
        value = problem.trait_loss.value
        assert isinstance(value, LabelledCrossEntropy | TargetedSquaredError)
        trait = "cross_entropy" if isinstance(value, LabelledCrossEntropy) else "squared_error"
        trait_columns = numbers[value.columns]
        arrays["trait_inputs"] = _exact(problem.trait_loss.inputs.reshape(len(problem.trait_loss.inputs), -1))
        arrays["trait_targets"] = _exact(value.labels if isinstance(value, LabelledCrossEntropy) else value.targets)
    columns = numbers[problem.columns] if isinstance(problem.columns, slice) else list(problem.columns)
    loss = problem.distillation_loss
    return Description(
        quantity=quantity,
        activation=network.activation,
        loss=loss.name,
        temperature=float(loss.temperature),
        student_lr=float(problem.student_lr if student_lr is None else student_lr),
        columns=columns,
        trait=trait,
        trait_columns=trait_columns,
        arrays=arrays,
        layers=network.layers,
        input_shape=network.input_shape,
    )


def _exact(values: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().cpu().numpy().astype(np.float64))


def _segment(base: dict[str, np.ndarray], teacher: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    # Knuth's TwoSum: high + low is the exact difference of two float64 numbers, barring overflow.
    high = {name: teacher[name] - base[name] for name in base}
    low = {}
    for name, difference in high.items():
        back = difference - teacher[name]
        low[name] = (teacher[name] - (difference - back)) + (-base[name] - back)
    found = {f"direction.{name}": value for name, value in high.items()}
    if any(value.any() for value in low.values()):
        found |= {f"direction_low.{name}": value for name, value in low.items()}
    return found


def unknown_quantity(quantity: str) -> list[str]:
    """Return the fault of a quantity that there is not."""
    if quantity in QUANTITIES:
        return []
    return [f"quantity: expected one of {', '.join(QUANTITIES)}, got {quantity!r}{nearest(quantity, QUANTITIES)}"]


def _obstacles(problem: Problem, quantity: str) -> list[str]:
    loss, faults = problem.distillation_loss, network_obstacles(problem)
    if loss.name not in ("squared_error", "kl"):
        faults.append(f"distillation_loss: expected squared_error or kl, got {loss.name!r}")
    elif not _is_own(problem):
        faults.append(f"distillation_loss: expected the package's own {loss.name}, got one of that name that differs")
    if not (math.isfinite(loss.temperature) and loss.temperature > 0):
        faults.append(f"temperature: expected a finite number > 0, got {loss.temperature}")
    value = None if problem.trait_loss is None else problem.trait_loss.value
    if quantity == "trait-loss" and not isinstance(value, LabelledCrossEntropy | TargetedSquaredError):
        faults.append("trait_loss: expected one of cross_entropy_trait or squared_error_trait, got none or another")
    return faults


def _is_own(problem: Problem) -> bool:
    # Losses are functions, and anybody may give one this name. Two float64 evaluations of one formula agree to 1e-9.
    own = distillation_loss(problem.distillation_loss.name, temperature=problem.distillation_loss.temperature)
    z = torch.linspace(-2.0, 1.5, 12, dtype=torch.float64).reshape(3, 4)
    y = z.flip(0) * 0.75 + 0.25
    found = problem.distillation_loss.output_gradient(z, y)
    expected = own.output_gradient(z, y)
    return torch.allclose(found, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))
