"""The four quantities in plain float64: where to look, never a proof."""

from __future__ import annotations

import numpy as np
import scipy.special

from subtx_toy.certify.activations import ACTIVATIONS
from subtx_toy.certify.description import Description


class PlainQuantity:
    """F(eps) of a description's quantity, by a forward pass of the teacher and, where needed, a student's step."""

    def __init__(self, described: Description) -> None:
        self.described, self.name = described, described.quantity
        self.weights = [described.base(layer) for layer in range(described.num_layers)]
        self.rates = [described.direction(layer) for layer in range(described.num_layers)]
        self.activation = ACTIVATIONS[described.activation]
        a, rate = described.arrays["inputs"], np.zeros_like(described.arrays["inputs"])
        self.layer_inputs, self.slopes = [], []
        for layer, ((W, b), (G, c)) in enumerate(zip(self.weights, self.rates, strict=True)):
            self.layer_inputs.append(a)
            z, rate = a @ W.T + b, rate @ W.T + a @ G.T + c
            if layer < len(self.weights) - 1:
                self.slopes.append(self.activation.slope(z))
                a, rate = self.activation.value(z), rate * self.slopes[-1]
        self.outputs, self.v = z[:, described.columns], rate[:, described.columns]
        self.loss_at_init = self._trait_loss(None) if self.name == "trait-loss" else 0.0

    def __call__(self, eps: float) -> float:
        """Return F(eps); for every-batch the least over inputs."""
        rho = self._answer(self._teacher(eps)) - self._answer(self.outputs)
        aligned = (self.v * rho).sum(-1)
        if self.name == "every-batch":
            return float(aligned.min())
        if self.name == "alignment":
            return float(aligned.mean())
        update = self._update(rho)
        lr = self.described.student_lr
        if self.name == "distance":
            return 2 * eps * float(aligned.mean()) - lr * sum(float((W**2).sum() + (b**2).sum()) for W, b in update)
        return self.loss_at_init - self._trait_loss([(lr * W, lr * b) for W, b in update])

    def _teacher(self, eps: float) -> np.ndarray:
        moved = [(W + eps * G, b + eps * c) for (W, b), (G, c) in zip(self.weights, self.rates, strict=True)]
        return self._forward(moved, self.described.arrays["inputs"])[:, self.described.columns]

    def _forward(self, layers: list[tuple[np.ndarray, np.ndarray]], a: np.ndarray) -> np.ndarray:
        for layer, (W, b) in enumerate(layers):
            z = a @ W.T + b
            a = z if layer == len(layers) - 1 else self.activation.value(z)
        return a

    def _answer(self, z: np.ndarray) -> np.ndarray:
        if self.described.loss == "squared_error":
            return z
        answer: np.ndarray = scipy.special.softmax(z / self.described.temperature, axis=-1) / self.described.temperature
        return answer

    def _update(self, rho: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        delta = np.zeros((len(rho), self.weights[-1][0].shape[0]))
        delta[:, self.described.columns] = rho / len(rho)
        found = []
        for layer in range(len(self.weights) - 1, -1, -1):
            found.append((delta.T @ self.layer_inputs[layer], delta.sum(0)))
            if layer:
                delta = (delta @ self.weights[layer][0]) * self.slopes[layer - 1]
        return found[::-1]

    def _trait_loss(self, step: list[tuple[np.ndarray, np.ndarray]] | None) -> float:
        layers = self.weights
        if step is not None:
            layers = [(W + dW, b + db) for (W, b), (dW, db) in zip(layers, step, strict=True)]
        z = self._forward(layers, self.described.arrays["trait_inputs"])[:, self.described.trait_columns]
        targets = self.described.arrays["trait_targets"]
        if self.described.trait == "squared_error":
            return float(0.5 * ((z - targets) ** 2).sum(-1).mean())
        picked = z[np.arange(len(z)), targets.astype(np.int64)]
        return float((scipy.special.logsumexp(z, axis=-1) - picked).mean())
