"""The losses of the corpus, written again at 200 bits by their formulas; derivatives are differences of the values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from flint import arb

from tests.verdicts import exact_arrays as ex
from tests.verdicts.exact_arrays import Array

Value = Callable[[Array, Array], Array]
"""(z, y) of ``[n, k]`` to values ``[n]``."""

_STEP = arb(2) ** -100


@dataclass(frozen=True)
class ExactLoss:
    """A loss, and its gradient and Hessian at agreement if they are stated apart from its value."""

    value: Value
    stated_gradient: Callable[[Array, Array], Array] | None = None
    stated_product: Callable[[Array, Array], Array] | None = None

    def derivative(self, z: Array, y: Array) -> Array:
        """Return the derivative of the sum of the values in z, ``[n, k]``."""
        found = np.empty_like(z)
        for place in np.ndindex(*z.shape):
            ends = []
            for step in (_STEP, -_STEP):
                moved = z.copy()
                moved[place] += step
                ends.append(self.value(moved, y).sum())
            found[place] = (ends[0] - ends[1]) / (2 * _STEP)
        return found

    def gradient(self, z: Array, y: Array) -> Array:
        """Return the gradient that the student descends."""
        return self.stated_gradient(z, y) if self.stated_gradient else self.derivative(z, y)

    def hessian_product(self, z: Array, v: Array) -> Array:
        """Return M v at agreement, y = z."""
        if self.stated_product:
            return self.stated_product(z, v)
        size = ex.norm(v.ravel())[0]
        if not size > 0:
            return v
        h = _STEP / size
        return (self.gradient(z + h * v, z) - self.gradient(z - h * v, z)) / (2 * h)


def squared_error() -> ExactLoss:
    """Return half of the squared distance."""
    return ExactLoss(lambda z, y: _squares(z, y) / 2, lambda z, y: z - y, lambda _z, v: v)


def kl(temperature: float = 1.0) -> ExactLoss:
    """Return KL(teacher || student)."""
    tau = arb(temperature)

    def product(z: Array, v: Array) -> Array:
        q = ex.softmax(z / tau)
        return q * (v - ex.total(q * v)) / tau**2

    def value(z: Array, y: Array) -> Array:
        p, q = ex.softmax(y / tau), ex.softmax(z / tau)
        return (p * ex.log(p / q)).sum(-1)

    return ExactLoss(value, lambda z, y: (ex.softmax(z / tau) - ex.softmax(y / tau)) / tau, product)


def _entropy(p: Array, q: Array) -> Array:
    return (p * ex.log(p / q)).sum(-1)


def _jensen_shannon(z: Array, y: Array) -> Array:
    q, p = ex.softmax(z), ex.softmax(y)
    return (_entropy(q, (q + p) / 2) + _entropy(p, (q + p) / 2)) / 2


def _cosine(z: Array, y: Array) -> Array:
    return 1 - (z * y).sum(-1) / (ex.norm(z) * ex.norm(y))[:, 0]


def _huber(z: Array, y: Array) -> Array:
    u = abs(z - y)
    return (np.where((ex.larger(u, 1) == 1).astype(bool), u * u / 2, u - 0.5)).sum(-1)


def _labels(z: Array, y: Array) -> Array:
    q = ex.softmax(z)
    chosen = [max(range(len(row)), key=lambda at: float(row[at])) for row in y]
    return np.array([-q[row, at].log() for row, at in enumerate(chosen)], dtype=object)


def _squares(z: Array, y: Array) -> Array:
    return ex.power(z - y, 2).sum(-1)


def gaps(function: Callable[[Array], Array]) -> ExactLoss:
    """Return a sum of one function of the gaps between outputs."""
    return ExactLoss(lambda z, y: function(z - y).sum(-1))


LOSSES: dict[str, ExactLoss] = {
    "kl": kl(), "kl at 4": kl(4.0), "squared error": squared_error(), "named kl, is squared error": squared_error(),
    "twice kl": ExactLoss(lambda z, y: 2 * kl().value(z, y)),
    "reverse kl": ExactLoss(lambda z, y: _entropy(ex.softmax(z / 2), ex.softmax(y / 2))),
    "squared error of probabilities": ExactLoss(lambda z, y: _squares(ex.softmax(z), ex.softmax(y)) / 2),
    "cosine distance": ExactLoss(_cosine), "huber": ExactLoss(_huber),
    "log cosh": gaps(lambda u: ex.log((ex.exp(u) + ex.exp(-u)) / 2)), "Jensen-Shannon": ExactLoss(_jensen_shannon),
    "Renyi at 1/2": ExactLoss(lambda z, y: -2 * ex.log(ex.sqrt(ex.softmax(z) * ex.softmax(y)).sum(-1))),
    "cross-entropy of soft labels": ExactLoss(lambda z, y: -(ex.softmax(y) * ex.log(ex.softmax(z))).sum(-1)),
    "Bregman of exp": gaps(lambda u: ex.exp(u) - u - 1),
    "weighted by the target": ExactLoss(lambda z, y: (ex.exp(y) * ex.power(z - y, 2)).sum(-1)),
    "weighted by the student": ExactLoss(lambda z, y: (ex.exp(z) * ex.power(z - y, 2)).sum(-1)),
    "Hellinger": ExactLoss(lambda z, y: _squares(ex.sqrt(ex.softmax(z)), ex.sqrt(ex.softmax(y)))),
    "correlation": ExactLoss(lambda z, y: _cosine(z - ex.mean(z), y - ex.mean(y))),
    "Charbonnier": ExactLoss(lambda z, y: ex.sqrt(_squares(z, y) + 0.01)),
    "quartic": gaps(lambda u: ex.power(u, 4)), "cubic": gaps(lambda u: ex.power(abs(u), 3)), "l1": gaps(abs),
    "power 3/2": gaps(lambda u: abs(u) * ex.root(abs(u))), "power 5/2": gaps(lambda u: u * u * ex.root(abs(u))),
    "distance": ExactLoss(lambda z, y: ex.norm(z - y)[:, 0]),
    "hotter student": ExactLoss(lambda z, y: -(ex.softmax(y) * ex.log(ex.softmax(z / 2))).sum(-1)),
    "repulsive": ExactLoss(lambda z, y: -_squares(z, y) / 2), "offset": gaps(lambda u: ex.power(u - 0.1, 2)),
    "saddle": ExactLoss(lambda z, y: _squares(z, y) - 3 * ex.power(z - y, 2)[:, 0]),
    "divided by n": ExactLoss(lambda z, y: _squares(z, y) / len(z)),
    "one number": ExactLoss(lambda z, y: np.array([_squares(z, y).sum() / z.size], dtype=object)),
    "batch statistics": ExactLoss(lambda z, y: _squares(z - z.sum(0) / len(z), y - y.sum(0) / len(y))),
    "wrong gradient": ExactLoss(_squares, lambda z, y: z - y, lambda _z, v: v),
    "wrong Hessian": ExactLoss(lambda z, y: _squares(z, y) / 2, lambda z, y: z - y, lambda _z, v: 2 * v),
    "argmax labels": ExactLoss(_labels),
    "two terms of kl": ExactLoss(lambda z, y: kl_terms(z, y)[:, :2].sum(-1)),
}  # fmt: skip
"""By the names of the corpus."""


def kl_terms(z: Array, y: Array) -> Array:
    """Return p (log p - log q) for each output."""
    return ex.softmax(y) * ex.log(ex.softmax(y) / ex.softmax(z))
