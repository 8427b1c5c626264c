# ruff: noqa: N802, the symbols of the theory
"""The quantities of a drawn perceptron at 200 bits, by mpmath and code that shares nothing with the package's.

Derivatives are taken of scalar sums by the chain rule written out for one input at a time.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import mpmath as mp
import torch

from subtx_toy.problem.model import MLP
from subtx_toy.problem.spec import ProblemSpec

BITS = 200
_SIGMA = {
    "tanh": (mp.tanh, lambda z: 1 - mp.tanh(z) ** 2),
    "sigmoid": (lambda z: 1 / (1 + mp.exp(-z)), lambda z: mp.exp(-z) / (1 + mp.exp(-z)) ** 2),
    "softplus": (lambda z: mp.log(1 + mp.exp(z)), lambda z: 1 / (1 + mp.exp(-z))),
    "gelu": (lambda z: z * mp.ncdf(z), lambda z: mp.ncdf(z) + z * mp.npdf(z)),
}


def _matrix(values: torch.Tensor) -> Any:
    return mp.matrix(values.reshape(len(values), -1).tolist())


class Exact:
    """One problem; the names are those of ``Floats``."""

    def __init__(self, spec: ProblemSpec) -> None:
        with mp.workprec(BITS):
            self.problem = problem = spec.build()
            assert isinstance(problem.model, MLP)
            self.model, self.is_kl = problem.model, spec.loss == "kl"
            self.tau, self.eps, self.n = mp.mpf(spec.temperature), mp.mpf(spec.eps), len(problem.inputs)
            self.base = [self._layer(problem.base_params, layer) for layer in range(problem.model.num_layers)]
            self.dT = [self._layer(problem.teacher_update, layer) for layer in range(problem.model.num_layers)]
            self.chosen = list(range(problem.model.sizes[-1]))[problem.columns]  # type: ignore[index]
            self.k = len(self.chosen)

    def _layer(self, params: dict[str, torch.Tensor], layer: int) -> tuple[Any, Any]:
        return _matrix(params[f"layers.{layer}.weight"]), _matrix(params[f"layers.{layer}.bias"])

    def _pass(self, params: list[tuple[Any, Any]], x: Any) -> tuple[list[Any], list[Any]]:
        value, slope = _SIGMA[self.model.activation.name]
        inputs, slopes = [x], []
        for layer, (weight, bias) in enumerate(params):
            z = weight * inputs[-1] + bias
            last = layer == len(params) - 1
            inputs.append(z if last else z.apply(value))
            slopes.append(None if last else z.apply(slope))
        return inputs, slopes

    def _rows(self) -> list[Any]:
        return [_matrix(x) for x in self.problem.inputs]

    def _along(self, x: Any) -> tuple[Any, Any]:
        # The outputs, and their derivative along dT.
        inputs, slopes = self._pass(self.base, x)
        tangent = mp.matrix(x.rows, 1)
        for (weight, _), (dW, db), a, slope in zip(self.base, self.dT, inputs, slopes, strict=False):
            tangent = dW * a + db + weight * tangent
            if slope is not None:
                tangent = mp.matrix([t * s for t, s in zip(tangent, slope, strict=True)])
        return self._cut(inputs[-1]), self._cut(tangent)

    def _cut(self, z: Any) -> Any:
        return mp.matrix([z[at] for at in self.chosen])

    def _soft(self, z: Any) -> Any:
        powers = (z / self.tau).apply(mp.exp)
        return powers / mp.fsum(powers)

    def _M(self, z: Any, v: Any) -> Any:
        if not self.is_kl:
            return v
        q = self._soft(z)
        mean = mp.fsum(a * b for a, b in zip(q, v, strict=True))
        return mp.matrix([a * (b - mean) for a, b in zip(q, v, strict=True)]) / self.tau**2

    def _slope(self, z: Any, y: Any) -> Any:
        return (self._soft(z) - self._soft(y)) / self.tau if self.is_kl else z - y

    def _back(self, weights: list[Any]) -> list[Any]:
        # mean_n J_n^T w_n, flat
        total: list[Any] = []
        for x, w in zip(self._rows(), weights, strict=True):
            inputs, slopes = self._pass(self.base, x)
            grad = mp.matrix(self.model.sizes[-1], 1)
            for at, value in zip(self.chosen, w, strict=True):
                grad[at] = value
            found: list[Any] = []
            for layer in reversed(range(len(self.base))):
                found = [*(grad * inputs[layer].T), *grad, *found]
                grad = self.base[layer][0].T * grad
                if layer:
                    grad = mp.matrix([g * s for g, s in zip(grad, slopes[layer - 1], strict=True)])
            total = [a + b for a, b in zip(total, found, strict=True)] if total else found
        return [value / self.n for value in total]

    @cached_property
    def _pairs(self) -> list[tuple[Any, Any]]:
        return [self._along(x) for x in self._rows()]

    def _targets(self) -> list[Any]:
        teacher = [(W + self.eps * dW, b + self.eps * db) for (W, b), (dW, db) in zip(self.base, self.dT, strict=True)]
        return [self._cut(self._pass(teacher, x)[0][-1]) for x in self._rows()]

    @cached_property
    def V(self) -> Any:
        return mp.fsum((v.T * self._M(z, v))[0] for z, v in self._pairs) / self.n

    @cached_property
    def v2(self) -> Any:
        return mp.fsum((v.T * v)[0] for _, v in self._pairs) / self.n

    @cached_property
    def _dT_flat(self) -> list[Any]:
        return [value for weight, bias in self.dT for value in (*weight, *bias)]

    @cached_property
    def dT_norm(self) -> Any:
        return _norm(self._dT_flat)

    @cached_property
    def _G(self) -> list[Any]:
        return self._back([self._M(z, v) for z, v in self._pairs])

    @cached_property
    def G_norm(self) -> Any:
        return _norm(self._G)

    @cached_property
    def _dS(self) -> list[Any]:
        return self._back([-self._slope(z, y) for (z, _), y in zip(self._pairs, self._targets(), strict=True)])

    @cached_property
    def dS_norm(self) -> Any:
        return _norm(self._dS)

    @cached_property
    def a(self) -> Any:
        return mp.fsum(one * other for one, other in zip(self._dS, self._dT_flat, strict=True))

    @cached_property
    def remainder(self) -> Any:
        return _norm([one - self.eps * other for one, other in zip(self._dS, self._G, strict=True)])


def _norm(values: list[Any]) -> Any:
    return mp.sqrt(mp.fsum(value**2 for value in values))
