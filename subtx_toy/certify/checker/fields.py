"""Single values of a file's settings and arrays, as both kinds of network need them."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import arb

from subtx_toy.certify.checker.document import LARGEST
from subtx_toy.certify.checker.rejected import Rejected, shortened


def loss_of(settings: dict[str, Any]) -> tuple[str, arb]:
    """Return the loss and its temperature."""
    loss = settings.get("loss")
    if loss not in ("kl", "squared_error"):
        raise Rejected(f"the loss {shortened(loss)} is not known")
    temperature = positive(settings, "temperature")
    if loss == "squared_error" and not temperature == 1:
        raise Rejected(f"temperature is {shortened(settings['temperature'])}, but squared_error has none, so 1")
    return loss, temperature


def positive(settings: dict[str, Any], name: str) -> arb:
    """Return a number of the settings that has to be above 0."""
    value = settings.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LARGEST:
        raise Rejected(f"{name} is {shortened(value)}, not a finite number above 0")
    return arb(float(value))


def column_numbers(settings: dict[str, Any], name: str, outputs: int) -> list[int]:
    """Return different numbers of outputs."""
    found = settings.get(name)
    if not isinstance(found, list) or not all(type(one) is int and 0 <= one < outputs for one in found):
        raise Rejected(f"{name} are not numbers of outputs from 0 to {outputs - 1}")
    if len(set(found)) < len(found):
        raise Rejected(f"{name} name an output twice")
    return found


def input_rows(arrays: dict[str, np.ndarray], name: str, width: int) -> np.ndarray:
    """Return inputs ``[n, width]``."""
    found = arrays.get(name)
    if found is None or found.ndim != 2 or found.shape[1] != width or len(found) == 0:
        raise Rejected(f"{name} are not of shape [n, {width}]")
    return found
