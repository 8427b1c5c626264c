"""What a certificate claims, evaluated at one step size with 120 digits, from the definitions alone."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

Matrix = list[list[Any]]


class ExactQuantity:
    """The quantity of a file's settings and arrays: positive where the claim is true."""

    def __init__(self, settings: dict[str, Any], arrays: dict[str, np.ndarray], quantity: str) -> None:
        self.settings, self.quantity, self.name = settings, quantity, settings["activation"]
        self.arrays = {name: np.vectorize(mpmath.mpf, otypes=[object])(value) for name, value in arrays.items()}
        self.depth = sum(name.startswith("layers.") and name.endswith(".weight") for name in arrays)
        self.still = self._layers("layers", mpmath.mpf(0), None)

    def _layers(self, _: str, eps: Any, direction: list[Any] | None) -> list[Any]:
        found = []
        for layer in range(self.depth):
            for place, kind in enumerate(("weight", "bias")):
                value = self.arrays[f"layers.{layer}.{kind}"]
                if direction is not None:
                    value = value + eps * direction[2 * layer + place]
                found.append(value)
        return found

    def _directions(self) -> list[Any]:
        found = []
        for layer in range(self.depth):
            for kind in ("weight", "bias"):
                name = f"layers.{layer}.{kind}"
                found.append(self.arrays[f"direction.{name}"] + self.arrays.get(f"direction_low.{name}", 0))
        return found

    def _unit(self, z: Any) -> Any:
        return np.vectorize(UNITS[self.name][0], otypes=[object])(z)

    def _slope(self, z: Any) -> Any:
        return np.vectorize(UNITS[self.name][1], otypes=[object])(z)

    def _forward(self, layers: list[Any], x: Any) -> tuple[list[Any], list[Any]]:
        inputs, outputs = [x], []
        for layer in range(self.depth):
            outputs.append(inputs[-1].dot(layers[2 * layer].T) + layers[2 * layer + 1])
            if layer < self.depth - 1:
                inputs.append(self._unit(outputs[-1]))
        return inputs, outputs

    def _answer(self, z: Any) -> Any:
        z = z[:, self.settings["columns"]]
        if self.settings["loss"] == "squared_error":
            return z
        tau = mpmath.mpf(self.settings["temperature"])
        rows = []
        for row in z / tau:
            top = max(row)
            powers = [mpmath.exp(one - top) for one in row]
            rows.append([one / mpmath.fsum(powers) / tau for one in powers])
        return np.array(rows, dtype=object)

    def __call__(self, eps: float) -> Any:
        """Return F(eps); for every-batch the least over inputs."""
        with mpmath.workdps(120):
            eps, motion, x = mpmath.mpf(eps), self._directions(), self.arrays["inputs"]
            inputs, outputs = self._forward(self.still, x)
            moved = self._forward(self._layers("", eps, motion), x)[1][-1]
            rho = self._answer(moved) - self._answer(outputs[-1])
            update = self._update(inputs, outputs, rho)
            n = len(x)
            aligned = sum(((a * b).sum() for a, b in zip(update, motion, strict=True)), mpmath.mpf(0))
            if self.quantity == "alignment":
                return aligned
            if self.quantity == "every-batch":
                each = [np.where(np.arange(n)[:, None] == one, rho, mpmath.mpf(0)) for one in range(n)]
                found = [self._update(inputs, outputs, one) for one in each]
                return min(sum((a * b).sum() for a, b in zip(one, motion, strict=True)) for one in found)
            step = mpmath.mpf(self.settings["student_lr"])
            if self.quantity == "distance":
                return 2 * eps * aligned - step * sum((one * one).sum() for one in update)
            return self._trait(mpmath.mpf(0), update) - self._trait(step, update)

    def _update(self, inputs: list[Any], outputs: list[Any], rho: Any) -> list[Any]:
        delta = np.full((len(rho), outputs[-1].shape[1]), mpmath.mpf(0), dtype=object)
        delta[:, self.settings["columns"]] = rho / len(rho)
        found: list[Any] = []
        for layer in range(self.depth - 1, -1, -1):
            found[:0] = [delta.T.dot(inputs[layer]), delta.sum(0)]
            if layer:
                delta = delta.dot(self.still[2 * layer]) * self._slope(outputs[layer - 1])
        return found

    def _trait(self, step: Any, update: list[Any]) -> Any:
        layers = self._layers("", step, update)
        z = self._forward(layers, self.arrays["trait_inputs"])[1][-1][:, self.settings["trait_columns"]]
        targets = self.arrays["trait_targets"]
        if self.settings["trait"] == "squared_error":
            return ((z - targets) ** 2).sum() / 2 / len(z)
        losses = [
            max(row) + mpmath.log(mpmath.fsum(mpmath.exp(one - max(row)) for one in row)) - row[int(label)]
            for row, label in zip(z, targets, strict=True)
        ]
        return mpmath.fsum(losses) / len(z)


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + mpmath.exp(-z))


UNITS = {
    "tanh": (mpmath.tanh, lambda z: 1 - mpmath.tanh(z) ** 2),
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z)),
    "softplus": (lambda z: mpmath.log1p(mpmath.exp(z)), _sigmoid),
    "gelu": (lambda z: z * mpmath.ncdf(z), lambda z: mpmath.ncdf(z) + z * mpmath.npdf(z)),
    "relu": (lambda z: max(z, mpmath.mpf(0)), lambda z: mpmath.mpf(z > 0)),
}
