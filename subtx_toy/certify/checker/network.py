"""The network of a file as arb matrices, its form checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import arb, arb_mat

from subtx_toy.certify.checker.fields import column_numbers, input_rows, loss_of, positive
from subtx_toy.certify.checker.grid import COARSE, FINE, on_grid
from subtx_toy.certify.checker.rejected import Rejected, shortened
from subtx_toy.certify.checker.units import UNITS

Rows = list[int] | slice
"""Outputs of a layer, by their numbers."""


def matrix(values: np.ndarray) -> arb_mat:
    """Return the exact matrix of float64 numbers ``[n, m]``."""
    return arb_mat(values.shape[0], values.shape[1], [arb(one) for one in values.ravel().tolist()])


class Network:
    """Weights ``[in, out]`` and biases as they stand, their directions, inputs, losses."""

    def __init__(
        self, settings: dict[str, Any], arrays: dict[str, np.ndarray], quantity: str, *, exact: bool = True
    ) -> None:
        name = settings.get("activation")
        self.trait, self.quantity, self.exact = settings.get("trait"), quantity, exact
        unit = UNITS.get(name) if isinstance(name, str) else None
        if "input_shape" in settings:
            raise Rejected("the settings name an input_shape, which a perceptron does not have")
        if unit is None:
            raise Rejected(f"the activation {shortened(name)} is not known to this checker, only {', '.join(UNITS)}")
        self.unit = unit
        self.loss, self.temperature = loss_of(settings)
        self.student_lr = positive(settings, "student_lr")
        self.depth = sum(name.startswith("layers.") and name.endswith(".weight") for name in arrays)
        if self.depth == 0:
            raise Rejected("there are no layers")
        shapes = self._shapes(arrays)
        self.columns = column_numbers(settings, "columns", shapes[-1][0])
        if not self.columns:
            raise Rejected("no output is distilled")
        self.inputs = input_rows(arrays, "inputs", shapes[0][1])
        self.arrays = arrays
        self.smooth = unit.smooth or self.depth == 1
        if quantity == "trait-loss":
            self.trait_columns = column_numbers(settings, "trait_columns", shapes[-1][0])
            self.trait_inputs = input_rows(arrays, "trait_inputs", shapes[0][1])
            self.targets = self._targets(arrays)
        elif self.trait != "" or settings.get("trait_columns") != []:
            raise Rejected(f"the claim of {quantity} has no trait, but the settings name one")
        unknown = set(arrays) - self._known
        if unknown:
            raise Rejected(f"the array {sorted(unknown)[0]!r} belongs to no part of the problem")

    @property
    def order(self) -> int:
        """Of Taylor's theorem: 1 where there are kinks, 3 for a student's step, whose boxes are long for the second."""
        if not self.smooth:
            return 1
        return 3 if self.quantity in ("trait-loss", "distance") and self.unit.sixth is not None else 2

    def fine(self, given: arb_mat) -> arb_mat:
        """Round what is multiplied for a value; not at all where ``exact`` is asked for."""
        return on_grid(given, None if self.exact else FINE)

    def coarse(self, given: arb_mat) -> arb_mat:
        """Round what is multiplied for a slope or a remainder."""
        return on_grid(given, None if self.exact else COARSE)

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
            raise Rejected(f"the trait {shortened(self.trait)} is not known")
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
