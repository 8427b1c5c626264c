"""The network of a file as arb matrices, its form checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import arb, arb_mat

from subtx_toy.certify.checker.document import LARGEST, Rejected
from subtx_toy.certify.checker.units import UNITS

Rows = list[int] | slice
"""Outputs of a layer, by their numbers."""


def matrix(values: np.ndarray) -> arb_mat:
    """Return the exact matrix of float64 numbers ``[n, m]``."""
    return arb_mat(values.shape[0], values.shape[1], [arb(one) for one in values.ravel().tolist()])


class Network:
    """Weights ``[in, out]`` and biases as they stand, their directions, inputs, losses."""

    def __init__(self, settings: dict[str, Any], arrays: dict[str, np.ndarray], quantity: str) -> None:
        name, self.loss = settings.get("activation"), settings.get("loss")
        self.trait, self.quantity = settings.get("trait"), quantity
        unit = UNITS.get(name) if isinstance(name, str) else None
        if unit is None:
            raise Rejected(f"the activation {name!r} is not known to this checker, only {', '.join(UNITS)}")
        self.unit = unit
        if self.loss not in ("kl", "squared_error"):
            raise Rejected(f"the loss {self.loss!r} is not known")
        self.temperature = _positive(settings, "temperature")
        self.student_lr = _positive(settings, "student_lr")
        self.depth = sum(name.startswith("layers.") and name.endswith(".weight") for name in arrays)
        if self.depth == 0:
            raise Rejected("there are no layers")
        shapes = self._shapes(arrays)
        self.columns = _columns(settings, "columns", shapes[-1][0])
        if not self.columns:
            raise Rejected("no output is distilled")
        self.inputs = _inputs(arrays, "inputs", shapes[0][1])
        self.arrays = arrays
        self.smooth = unit.smooth or self.depth == 1
        if quantity == "trait-loss":
            self.trait_columns = _columns(settings, "trait_columns", shapes[-1][0])
            self.trait_inputs = _inputs(arrays, "trait_inputs", shapes[0][1])
            self.targets = self._targets(arrays)
        unknown = set(arrays) - self._known
        if unknown:
            raise Rejected(f"the array {sorted(unknown)[0]!r} belongs to no part of the problem")

    @property
    def _known(self) -> set[str]:
        parts = {f"layers.{layer}.{kind}" for layer in range(self.depth) for kind in ("weight", "bias")}
        both = {f"{prefix}{part}" for part in parts for prefix in ("", "direction.", "direction_low.")}
        return both | {"inputs"} | ({"trait_inputs", "trait_targets"} if self.quantity == "trait-loss" else set())

    def _shapes(self, arrays: dict[str, np.ndarray]) -> list[tuple[int, int]]:
        shapes: list[tuple[int, int]] = []
        for layer in range(self.depth):
            weight = arrays.get(f"layers.{layer}.weight")
            if weight is None or weight.ndim != 2 or 0 in weight.shape:
                raise Rejected(f"layer {layer} has no weight matrix")
            if shapes and weight.shape[1] != shapes[-1][0]:
                raise Rejected(f"layer {layer} takes {weight.shape[1]} numbers, the one before gives {shapes[-1][0]}")
            for prefix in ("", "direction.", "direction_low."):
                if prefix == "direction_low." and f"{prefix}layers.{layer}.weight" not in arrays:
                    if f"{prefix}layers.{layer}.bias" in arrays:
                        raise Rejected(f"layer {layer} has half of a second direction")
                    continue
                for kind, shape in (("weight", weight.shape), ("bias", weight.shape[:1])):
                    found = arrays.get(f"{prefix}layers.{layer}.{kind}")
                    if found is None or found.shape != shape:
                        raise Rejected(f"{prefix}layers.{layer}.{kind} is not of shape {shape}")
            shapes.append((int(weight.shape[0]), int(weight.shape[1])))
        return shapes

    def _targets(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        targets, rows, width = arrays.get("trait_targets"), len(self.trait_inputs), len(self.trait_columns)
        if self.trait == "cross_entropy":
            if targets is None or targets.shape != (rows,) or (targets != np.floor(targets)).any():
                raise Rejected("trait_targets are not one label per input")
            if targets.min() < 0 or targets.max() >= width:
                raise Rejected(f"trait_targets hold a label outside 0 .. {width - 1}")
        elif self.trait == "squared_error":
            if targets is None or targets.shape != (rows, width):
                raise Rejected(f"trait_targets are not of shape {(rows, width)}")
        else:
            raise Rejected(f"the trait {self.trait!r} is not known")
        return targets

    def weight(self, layer: int, *, rows: Rows = slice(None), part: str = "") -> arb_mat:
        """Return a layer's weight at the init, or that ``part`` of its direction, ``[in, out]``."""
        return matrix(self.arrays[f"{part}layers.{layer}.weight"][rows].T)

    def bias(self, layer: int, times: int, *, rows: Rows = slice(None), part: str = "") -> arb_mat:
        """Return a layer's bias likewise, repeated ``[times, out]``."""
        return matrix(np.tile(self.arrays[f"{part}layers.{layer}.bias"][rows], (times, 1)))

    def motion(self, layer: int, times: int, *, rows: Rows = slice(None)) -> tuple[arb_mat, arb_mat]:
        """Return the direction of a layer's weight and of its repeated bias: the exact sum of its parts."""
        weight = self.weight(layer, rows=rows, part="direction.")
        bias = self.bias(layer, times, rows=rows, part="direction.")
        if f"direction_low.layers.{layer}.weight" in self.arrays:
            weight += self.weight(layer, rows=rows, part="direction_low.")
            bias += self.bias(layer, times, rows=rows, part="direction_low.")
        return weight, bias


def _positive(settings: dict[str, Any], name: str) -> arb:
    value = settings.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LARGEST:
        raise Rejected(f"{name} is {value!r}, not a finite number above 0")
    return arb(float(value))


def _columns(settings: dict[str, Any], name: str, outputs: int) -> list[int]:
    found = settings.get(name)
    if not isinstance(found, list) or not all(type(one) is int and 0 <= one < outputs for one in found):
        raise Rejected(f"{name} are not numbers of outputs from 0 to {outputs - 1}")
    if len(set(found)) < len(found):
        raise Rejected(f"{name} name an output twice")
    return found


def _inputs(arrays: dict[str, np.ndarray], name: str, width: int) -> np.ndarray:
    found = arrays.get(name)
    if found is None or found.ndim != 2 or found.shape[1] != width or len(found) == 0:
        raise Rejected(f"{name} are not of shape [n, {width}]")
    return found
