"""The form of a chain of layers: what the words of each layer mean, and the shapes between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from subtx_toy.certify.checker.fields import column_numbers, input_rows, loss_of, positive
from subtx_toy.certify.checker.limits import MAX_LAYERS, MAX_UNITS
from subtx_toy.certify.checker.rejected import Rejected, shortened
from subtx_toy.certify.checker.units import UNITS

_FIELDS = {
    "linear": {"kind"},
    "conv2d": {"kind", "stride", "padding", "dilation", "groups"},
    "avg_pool2d": {"kind", "kernel", "stride", "padding"},
    "layer_norm": {"kind", "shape", "eps"},
    "flatten": {"kind"},
}
_PARTS = ("", "direction.", "direction_low.")


@dataclass(frozen=True)
class Layer:
    """A layer in words, checked: its kind, the shapes of one input's numbers before and after, and its own sizes."""

    number: int
    kind: str
    words: dict[str, Any]
    before: tuple[int, ...]
    after: tuple[int, ...]
    weight: tuple[int, ...] | None
    bias: bool

    @property
    def windows(self) -> tuple[int, int]:
        """How many positions of the output there are, and how many numbers each one sees."""
        if self.kind == "conv2d":
            assert self.weight is not None
            return math.prod(self.after[1:]), self.before[0] * math.prod(self.weight[2:])
        if self.kind == "avg_pool2d":
            return math.prod(self.after), math.prod(self.words["kernel"])
        return math.prod(self.before[:-1]), self.before[-1]

    @property
    def products(self) -> int:
        """Multiplications for one input."""
        if self.kind in ("linear", "conv2d"):
            assert self.weight is not None
            positions, seen = self.windows
            return positions * seen * self.weight[0]
        return 8 * math.prod(self.before)


class Chain:
    """The layers of a file as they stand, its inputs ``[n, d]`` and its losses."""

    def __init__(
        self, settings: dict[str, Any], arrays: dict[str, np.ndarray], quantity: str, *, exact: bool = True
    ) -> None:
        self.exact = exact
        if quantity not in ("alignment", "every-batch"):
            raise Rejected(f"the claim of {quantity} is known for perceptrons alone")
        if "activation" in settings:
            raise Rejected("the settings name an activation, but the layers of a chain have their own")
        if settings.get("trait") != "" or settings.get("trait_columns") != []:
            raise Rejected(f"the claim of {quantity} has no trait, but the settings name one")
        self.loss, self.temperature = loss_of(settings)
        self.student_lr, self.quantity, self.arrays = positive(settings, "student_lr"), quantity, arrays
        shape = _sizes(settings.get("input_shape"), "input_shape", (1, 2, 3))
        _refuse_wide("input_shape", shape)
        self.inputs = input_rows(arrays, "inputs", math.prod(shape))
        self.layers, known = list[Layer](), {"inputs"}
        stored = settings.get("layers")
        if not isinstance(stored, list) or not 0 < len(stored) <= MAX_LAYERS:
            raise Rejected(f"layers are {shortened(stored)}, not a list of 1 to {MAX_LAYERS} layers")
        for number, words in enumerate(stored):
            layer = _layer(number, words, shape, arrays)
            self.layers.append(layer)
            shape = layer.after
            known |= _arrays_of(layer)
        if len(shape) != 1:
            raise Rejected(f"the last layer gives the shape {shape}, not one row of outputs per input")
        if not any(layer.weight for layer in self.layers):
            raise Rejected("no layer has weights")
        if unknown := set(arrays) - known:
            raise Rejected(f"the array {sorted(unknown)[0]!r} belongs to no part of the problem")
        self.columns = column_numbers(settings, "columns", shape[0])
        if not self.columns:
            raise Rejected("no output is distilled")
        self.smooth = all(UNITS[layer.kind].smooth for layer in self.layers if layer.kind in UNITS)

    @property
    def order(self) -> int:
        """Of Taylor's theorem: 1 where there are kinks."""
        return 2 if self.smooth else 1

    def array(self, layer: Layer, kind: str, part: str = "") -> np.ndarray | None:
        """Return an array of a layer, or of that ``part`` of its direction, if there is one."""
        return self.arrays.get(f"{part}layers.{layer.number}.{kind}")


def _layer(number: int, words: Any, before: tuple[int, ...], arrays: dict[str, np.ndarray]) -> Layer:
    where = f"layer {number}"
    kind = words.get("kind") if isinstance(words, dict) else None
    if not isinstance(kind, str) or (kind not in _FIELDS and kind not in UNITS):
        raise Rejected(f"{where} is {shortened(words)}, which is no layer known to this checker")
    if set(words) != _FIELDS.get(kind, {"kind"}):
        raise Rejected(f"{where}, {kind}, is described by {shortened(sorted(words))}, which is not what it has")
    weight, bias = arrays.get(f"layers.{number}.weight"), arrays.get(f"layers.{number}.bias")
    own = None if weight is None else tuple(int(size) for size in weight.shape)
    after = _after(where, kind, words, before, own)
    _refuse_wide(where, after)
    width = after if kind == "layer_norm" else (0 if own is None else own[0],)
    if kind == "layer_norm":
        width = tuple(words["shape"])
        if own not in (None, width) or (own is None and bias is not None):
            raise Rejected(f"layers.{number}.weight is not of shape {width}")
    elif (kind in ("linear", "conv2d")) != (own is not None):
        raise Rejected(f"{where}, {kind}, has {'no' if own is None else 'a'} weight")
    if bias is not None and (own is None or bias.shape != width):
        raise Rejected(f"layers.{number}.bias is not of shape {width}")
    for name, value in (("weight", weight), ("bias", bias)):
        _directions(f"layers.{number}.{name}", value, arrays)
    return Layer(number, kind, words, before, after, own, bias is not None)


def _directions(name: str, value: np.ndarray | None, arrays: dict[str, np.ndarray]) -> None:
    for part in _PARTS[1:]:
        moved = arrays.get(part + name)
        if value is None:
            if moved is not None:
                raise Rejected(f"the array {part + name!r} belongs to no part of the problem")
        elif (moved is None and part == "direction.") or (moved is not None and moved.shape != value.shape):
            raise Rejected(f"{part}{name} is not of shape {value.shape}")


def _arrays_of(layer: Layer) -> set[str]:
    kinds = [kind for kind, there in (("weight", layer.weight), ("bias", layer.bias)) if there]
    return {f"{part}layers.{layer.number}.{kind}" for kind in kinds for part in _PARTS}


def _after(
    where: str, kind: str, words: dict[str, Any], before: tuple[int, ...], weight: tuple[int, ...] | None
) -> tuple[int, ...]:
    if kind == "flatten":
        return (math.prod(before),)
    if kind == "linear":
        if weight is None or len(weight) != 2 or weight[1] != before[-1]:
            raise Rejected(f"{where}, linear, has a weight of shape {weight} for inputs of shape {before}")
        return (*before[:-1], weight[0])
    if kind == "layer_norm":
        shape = _sizes(words["shape"], f"{where}, shape", (1, 2, 3))
        if before[-len(shape) :] != shape:
            raise Rejected(f"{where}, layer_norm, is of shape {shape}, its inputs are of shape {before}")
        positive(words, "eps")
        return before
    if kind in UNITS:
        return before
    if len(before) != 3:
        raise Rejected(f"{where}, {kind}, has inputs of shape {before}, which are no channels, rows and columns")
    stride = _sizes(words["stride"], f"{where}, stride", (2,))
    padding = _sizes(words["padding"], f"{where}, padding", (2,), least=0)
    dilation = _sizes(words.get("dilation", [1, 1]), f"{where}, dilation", (2,))
    kernel: tuple[int, ...]
    if kind == "conv2d":
        (groups,) = _sizes([words["groups"]], f"{where}, groups", (1,))
        if weight is None or len(weight) != 4 or weight[1] * groups != before[0] or weight[0] % groups:
            raise Rejected(f"{where}, conv2d, has a weight of shape {weight} in {groups} groups for inputs of {before}")
        channels, kernel = weight[0], weight[2:]
    else:
        channels, kernel = before[0], _sizes(words["kernel"], f"{where}, kernel", (2,))
        if any(pad * 2 > size for pad, size in zip(padding, kernel, strict=True)):
            raise Rejected(f"{where}, avg_pool2d, has more padding than half of its kernel")
    after = [
        (before[axis + 1] + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
        for axis in (0, 1)
    ]
    if min(after) < 1:
        raise Rejected(f"{where}, {kind}, has no room for its kernel in inputs of shape {before}")
    return (channels, *after)


def _sizes(stored: Any, what: str, lengths: tuple[int, ...], *, least: int = 1) -> tuple[int, ...]:
    if not isinstance(stored, list) or len(stored) not in lengths:
        raise Rejected(f"{what} is {shortened(stored)}, not a list of {' or '.join(map(str, lengths))} integers")
    if not all(type(one) is int and least <= one <= MAX_UNITS for one in stored):
        raise Rejected(f"{what} is {shortened(stored)}, not of integers from {least} to {MAX_UNITS}")
    return tuple(stored)


def _refuse_wide(what: str, shape: tuple[int, ...]) -> None:
    if math.prod(shape) > MAX_UNITS:
        raise Rejected(f"{what} has {math.prod(shape)} units in a layer, more than {MAX_UNITS}")
