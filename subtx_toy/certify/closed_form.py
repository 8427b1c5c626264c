"""The closed form (claims C8, C1b) as a rigorous bound: norms of layers only, every rounding covered.

All numbers are sums and products of non-negative ones, so rounding is covered by a factor a little above 1 each time.
"""

from __future__ import annotations

import math

import numpy as np

from subtx_toy.certify.activations import ACTIVATIONS
from subtx_toy.certify.description import Description
from subtx_toy.certify.quantities import Quantity
from subtx_toy.problem.activation_bounds import ActivationBounds, LayerNorms, path_bounds
from subtx_toy.problem.sign_change import last_holding

_SLACK = 1 + 1e-9  # a sum of a million terms errs by 1.2e-10 of itself at most, and a layer has few of them
_HALVINGS = 40
_TEMPERATURES = 1e-90, 1e90  # whose cubes are float64 numbers, with room for what is divided by them
_UNUSED = ActivationBounds(1.0, 0.0)  # of a network without hidden layers


class ClosedForm:
    """Closed-form lower bounds of a description's rates, as functions of eps (and, for distance, of student_lr)."""

    def __init__(self, quantity: Quantity) -> None:
        described = self.described = quantity.described
        self.limits = ACTIVATIONS[described.activation].bounds or _UNUSED
        rows: list[slice | list[int]] = [*[slice(None)] * (described.num_layers - 1), described.columns]
        self.layers = [_norms(described, layer, row) for layer, row in enumerate(rows)]
        self.inputs = np.linalg.norm(described.arrays["inputs"], axis=1) * _SLACK
        self.v_norm = np.linalg.norm(quantity.v.magnitude(), axis=1) * _SLACK
        self.v_osc = np.maximum(quantity.v.upper().max(1) - quantity.v.lower().min(1), 0.0) * _SLACK
        self.quantity = quantity
        # V of every input or their mean, from below; for distance the alignment's own, which its rate at 0 is not
        self.V = quantity.curvature().lower()

    def bends(self, eps: float) -> tuple[np.ndarray, np.ndarray]:
        """Bound, per input, ||z'|| over [0, eps] and the second derivative of the alignment."""
        first, second = path_bounds(self.layers, self.limits, self.inputs, eps, slack=_SLACK, slack_of_few=_SLACK)
        if self.described.loss == "squared_error":
            return first, self.v_norm * second * _SLACK
        tau = self.described.temperature
        cumulant = self.v_osc * 2 * first**2 / (4 * tau**3)
        covariance = self.v_osc * (math.sqrt(2) * _SLACK) * second / (4 * tau**2)
        return first, (cumulant + covariance) * _SLACK

    def alignment(self, eps: float) -> float:
        """Bound a(s)/s from below over (0, eps]: V - eps M/2; for every-batch the least over inputs."""
        _, bend = self.bends(eps)
        if self.quantity.name != "every-batch":
            bend = np.asarray(bend.mean() * _SLACK)
        return float(np.min(self.V - eps * bend / 2 * _SLACK))

    def update_norm(self, eps: float) -> float:
        """Bound ||dS(s)||/s from above over (0, eps], by norms of the backward pass input by input."""
        described = self.described
        first, _ = self.bends(eps)
        # The softmax's Jacobian diag(p) - p p^T has norm 1/2 at most.
        gain = 1.0 if described.loss == "squared_error" else 0.5 / described.temperature**2
        delta, total = gain * first / len(first) * _SLACK, 0.0
        sizes = self.quantity.student.input_sizes()
        for number in range(described.num_layers - 1, -1, -1):
            total += float((delta * sizes[number]).sum()) ** 2 + float(delta.sum()) ** 2
            delta = delta * self.layers[number].W * self.limits.slope * _SLACK
        return math.sqrt(total) * _SLACK

    def rate(self, eps: float) -> float:
        """Bound the rate of alignment, every-batch or distance from below over (0, eps]."""
        if self.quantity.name != "distance":
            return self.alignment(eps)
        return 2 * self.alignment(eps) - self.described.student_lr * self.update_norm(eps) ** 2 * _SLACK


def closed_form(quantity: Quantity, *, cap: float) -> tuple[float | None, str]:
    """Return the largest eps, up to the cap, for which the closed form proves the claim; or None and the reason."""
    described = quantity.described
    if described.layers:
        return None, "the bound by norms of layers is known for perceptrons with biases alone"
    if described.num_layers > 1 and ACTIVATIONS[described.activation].bounds is None:
        return None, f"{described.activation} is not twice continuously differentiable"
    if quantity.name == "trait-loss":
        return None, "the closed form takes the direction for minus the exact trait gradient, which no float64 array is"
    if not _TEMPERATURES[0] < described.temperature < _TEMPERATURES[1]:
        return None, f"the temperature {described.temperature:g} is not between 1e-90 and 1e90, where its cube is safe"
    form = ClosedForm(quantity)
    with np.errstate(all="ignore"):
        eps = last_holding(np.vectorize(lambda eps: form.rate(eps) > 0), halvings=_HALVINGS, cap=cap)
    return eps, "" if eps else "the rate at eps = 0 is not proved positive by norms"


def _norms(described: Description, layer: int, rows: slice | list[int]) -> LayerNorms:
    parts = described.base(layer), described.direction(layer), described.low_direction(layer)
    W, G, low_G = (_operator_norm(weight[rows]) for weight, _ in parts)
    b, c, low_c = (float(np.linalg.norm(bias[rows])) * _SLACK for _, bias in parts)
    return LayerNorms(W, b, (G + low_G) * _SLACK, (c + low_c) * _SLACK, len(parts[0][1][rows]))


def _operator_norm(matrix: np.ndarray) -> float:
    # min(Frobenius, sqrt(1-norm inf-norm)): no eigenvalues, whose errors would need a proof
    size = np.abs(matrix)
    mixed = math.sqrt(float(size.sum(0).max()) * float(size.sum(1).max()))
    return min(float(np.linalg.norm(matrix)), mixed) * _SLACK
