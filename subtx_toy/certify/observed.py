"""The observed end of a ray: where the quantity changes its sign in plain float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.special
from scipy.optimize import brentq

from subtx_toy.certify.activations import ACTIVATIONS
from subtx_toy.certify.description import Description
from subtx_toy.certify.jets import Box
from subtx_toy.certify.quantities import Quantity
from subtx_toy.errors import InputError
from subtx_toy.problem.sign_change import confirmed_gap, scan_points, sign_changes

Layers = list[tuple[np.ndarray, np.ndarray]]


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
        self.loss_at_init = self._trait_loss(self.weights) if self.name == "trait-loss" else 0.0

    def __call__(self, eps: float) -> float:
        """Return F(eps); for every-batch the least over inputs."""
        teacher = self._forward(self._moved(self.rates, eps), self.described.arrays["inputs"])
        rho = self._answer(teacher[:, self.described.columns]) - self._answer(self.outputs)
        aligned = (self.v * rho).sum(-1)
        if self.name == "every-batch":
            return float(aligned.min())
        if self.name == "alignment":
            return float(aligned.mean())
        update = self._update(rho)
        lr = self.described.student_lr
        if self.name == "distance":
            return 2 * eps * float(aligned.mean()) - lr * sum(float((W**2).sum() + (b**2).sum()) for W, b in update)
        return self.loss_at_init - self._trait_loss(self._moved(update, lr))

    def _moved(self, update: Layers, step: float) -> Layers:
        return [(W + step * G, b + step * c) for (W, b), (G, c) in zip(self.weights, update, strict=True)]

    def _forward(self, layers: Layers, a: np.ndarray) -> np.ndarray:
        for layer, (W, b) in enumerate(layers):
            z = a @ W.T + b
            a = z if layer == len(layers) - 1 else self.activation.value(z)
        return a

    def _answer(self, z: np.ndarray) -> np.ndarray:
        if self.described.loss == "squared_error":
            return z
        return np.asarray(scipy.special.softmax(z / self.described.temperature, axis=-1) / self.described.temperature)

    def _update(self, rho: np.ndarray) -> Layers:
        delta = np.zeros((len(rho), self.weights[-1][0].shape[0]))
        delta[:, self.described.columns] = rho / len(rho)
        found = []
        for layer in range(len(self.weights) - 1, -1, -1):
            found.append((delta.T @ self.layer_inputs[layer], delta.sum(0)))
            if layer:
                delta = (delta @ self.weights[layer][0]) * self.slopes[layer - 1]
        return found[::-1]

    def _trait_loss(self, layers: Layers) -> float:
        z = self._forward(layers, self.described.arrays["trait_inputs"])[:, self.described.trait_columns]
        targets = self.described.arrays["trait_targets"]
        if self.described.trait == "squared_error":
            return float(0.5 * ((z - targets) ** 2).sum(-1).mean())
        picked = z[np.arange(len(z)), targets.astype(np.int64)]
        return float((scipy.special.logsumexp(z, axis=-1) - picked).mean())


class AtPoints:
    """F(eps) of a chain: the centres of the balls at single points, which are plain float64 evaluations."""

    def __init__(self, described: Description) -> None:
        self.proof = Quantity(described)

    def __call__(self, eps: float) -> float:
        """Return F(eps); for every-batch the least over inputs."""
        return float(np.min(self.proof.rate(Box(eps, eps), 1).mid)) * eps**self.proof.power


_BITS = 160
_GAPS = (1e-11, 1e-9, 1e-7)  # relative, on either side of the change
_NEAR = 2.0 ** np.arange(-26, -9)  # relative, beyond the end of the proof: where a change is likely


@dataclass(frozen=True)
class FirstChange:
    """``eps`` has the opposite sign and, if a point before has the claimed one, so has one just below: at 160 bits."""

    eps: float | None
    reason: str = ""


def observe(described: Description, *, start: float, cap: float) -> FirstChange:
    """Look at 60 logarithmic and 400 linear points of (start, cap], close in on the first change, and confirm it.

    A scan can step over a pair of zeros. Points up to ``start`` are left out: there the sign is proved.
    """
    plain, unsure = AtPoints(described) if described.layers else PlainQuantity(described), 0.0
    points = np.unique(np.concatenate([scan_points(cap), start * (1 + _NEAR)]))
    with np.errstate(all="ignore"):
        for below, eps, value in sign_changes(plain, points[(points > start) & (points <= cap)], start=start):
            if not np.isfinite(value):
                return FirstChange(None, f"the outputs are not finite from eps = {eps:.3g} on")
            found = _confirmed(described, plain, below, eps)
            if found is not None:
                return FirstChange(found)
            if below > 0 and _sign(described, eps) < 0:  # all further points are beyond the change
                unsure = eps
                break
            unsure = unsure or eps
    if unsure:
        return FirstChange(None, f"a change of sign below eps = {unsure:.3g} is not confirmed at {_BITS} bits")
    return FirstChange(None, "no change of sign is seen up to the cap")


def _confirmed(described: Description, plain: Callable[[float], float], below: float, above: float) -> float | None:
    if below == 0:
        return above if _sign(described, above) < 0 else None
    root = above
    if plain(below) > 0 > plain(above):
        root = float(brentq(plain, below, above, xtol=1e-13 * below, rtol=1e-13))
    gap = confirmed_gap(lambda eps: _sign(described, eps), root, _GAPS)
    return None if gap is None else root * (1 + gap)


def _sign(described: Description, eps: float) -> int:
    try:
        from flint import ctx

        from subtx_toy.certify.checker.proof import ClaimedRate, network_of
    except ImportError as error:
        raise InputError("python-flint: expected it to be installed for certificates, got none") from error
    with ctx.workprec(_BITS):
        network = network_of(described.settings(), described.arrays, described.quantity)
        value = ClaimedRate(network).enclose(eps, eps).at_point
    return int(value > 0) - int(value < 0)
