"""The form of a chain: its layers in words, the shapes between them, and the inputs that an output position sees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from subtx_toy.certify.activations import ACTIVATIONS
from subtx_toy.errors import InputError

Shape = tuple[int, ...]
Words = dict[str, Any]
"""A layer as JSON values: its ``kind``, and what else says what it does."""

FIELDS: dict[str, tuple[str, ...]] = {
    "linear": (),
    "conv2d": ("stride", "padding", "dilation", "groups"),
    "avg_pool2d": ("kernel", "stride", "padding"),
    "layer_norm": ("shape", "eps"),
    "flatten": (),
    **dict.fromkeys(ACTIVATIONS, ()),
}
"""What each kind of layer has besides its arrays. Padding is with zeros, and pooling counts them."""


def output_shape(words: Words, shape: Shape, arrays: Mapping[str, Shape]) -> Shape:
    """Return the shape of one input's numbers after a layer, from that before it and those of the layer's arrays.

    Raises:
        InputError: if they do not fit.
    """
    kind = words["kind"]
    if kind == "flatten":
        return (math.prod(shape),)
    if kind == "linear":
        outputs, width = arrays["weight"]
        return (*shape[:-1], outputs) if shape[-1] == width else _refused(words, shape)
    if kind == "layer_norm":
        return shape if shape[-len(words["shape"]) :] == tuple(words["shape"]) else _refused(words, shape)
    if kind in ACTIVATIONS:
        return shape
    if len(shape) != 3:
        _refused(words, shape)
    if kind == "conv2d":
        outputs, per_group, *kernel = arrays["weight"]
        if shape[0] != per_group * words["groups"]:
            _refused(words, shape)
    else:
        outputs, kernel = shape[0], words["kernel"]
    rows, columns = (
        (size + 2 * pad - dilation * (width - 1) - 1) // stride + 1
        for size, pad, dilation, width, stride in zip(
            shape[1:], words["padding"], words.get("dilation", (1, 1)), kernel, words["stride"], strict=True
        )
    )
    return (outputs, rows, columns) if min(rows, columns) > 0 else _refused(words, shape)


def _refused(words: Words, shape: Shape) -> Shape:
    raise InputError(f"model: expected inputs that fit the layer {words['kind']}, got ones of shape {list(shape)}")


def seen(words: Words, shape: Shape, kernel: Shape) -> np.ndarray:
    """Return which entry of one padded channel each tap of the kernel sees, ``[positions, taps]``; -1 is a zero."""
    (stride_y, stride_x), (pad_y, pad_x) = words["stride"], words["padding"]
    dilation_y, dilation_x = words.get("dilation", (1, 1))
    _, height, width = shape
    framed = np.full((height + 2 * pad_y, width + 2 * pad_x), -1)
    framed[pad_y : pad_y + height, pad_x : pad_x + width] = np.arange(height * width).reshape(height, width)
    spans = [dilation_y * (kernel[0] - 1) + 1, dilation_x * (kernel[1] - 1) + 1]
    windows = np.lib.stride_tricks.sliding_window_view(framed, spans)
    taps = windows[::stride_y, ::stride_x, ::dilation_y, ::dilation_x]
    return taps.reshape(-1, kernel[0] * kernel[1])


def all_channels(taps: np.ndarray, channels: int, pixels: int) -> np.ndarray:
    """Return the same for the entries of all channels behind one another, ``[channels, positions, taps]``."""
    moved = taps[None] + pixels * np.arange(channels)[:, None, None]
    return np.where(taps[None] < 0, -1, moved)
