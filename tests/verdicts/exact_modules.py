"""Modules of the corpus by hand at 200 bits: two layers with a function between, evaluated with no code of the package.

The truth about each is what the function is; here the numbers of one step are computed again, independently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
from mpmath import mp

from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem

BITS = 200


def _gelu(x: Any) -> Any:
    return x * (1 + mp.erf(x / mp.sqrt(2))) / 2


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": mp.tanh, "gelu": _gelu, "silu": lambda x: x * _sigmoid(x),
    "mish": lambda x: x * mp.tanh(mp.log(1 + mp.exp(x))), "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "sigmoid": _sigmoid, "logsigmoid": lambda x: -mp.log(1 + mp.exp(-x)), "sin": mp.sin,
    "exp": lambda x: mp.exp(x / 2), "square": lambda x: x * x, "erf": mp.erf, "atan": mp.atan,
    "rsqrt": lambda x: 1 / mp.sqrt(x * x + mp.mpf("0.1")), "sqrt": lambda x: mp.sqrt(x * x + 1),
    "log cosh by abs": lambda x: abs(x) + mp.log(1 + mp.exp(-2 * abs(x))), "linear": lambda x: x,
    "polynomial": lambda x: x + mp.mpf("0.1") * x**3, "dropout in eval": mp.tanh,
    "where of one function": mp.tanh, "own function": mp.tanh, "cube of abs": lambda x: abs(x) ** 3,
    "relu": lambda x: max(x, mp.mpf(0)), "leaky_relu": lambda x: max(x, mp.mpf("0.01") * x), "abs": abs,
    "softsign": lambda x: x / (1 + abs(x)), "x abs(x)": lambda x: x * abs(x),
    "relu by abs": lambda x: (x + abs(x)) / 2, "clamp": lambda x: min(max(x, mp.mpf(-1)), mp.mpf(1)),
}  # fmt: skip
"""By the names of the corpus: those that act on each number alone."""


class ExactStep:
    """V and a(eps) of a problem of the corpus under squared error at 200 bits.

    J dT is a central difference of the outputs on the ray at a step of 2^-60, which errs by 2^-120 and less.
    """

    def __init__(self, name: str, problem: Problem) -> None:
        self._function, self._problem = FUNCTIONS[name], problem
        with mp.workprec(BITS):
            self._base, self._update = _exact(problem.base_params), _exact(problem.teacher_update)
            self._rows = [[mp.mpf(x) for x in row] for row in problem.inputs.tolist()]
            self._z, h = self._outputs(mp.mpf(0)), mp.mpf(2) ** -60
            self._v = [
                [(a - b) / (2 * h) for a, b in zip(up, down, strict=True)]
                for up, down in zip(self._outputs(h), self._outputs(-h), strict=True)
            ]

    def _outputs(self, s: Any) -> list[list[Any]]:
        at = {name: self._base[name] + s * self._update[name] for name in self._base}
        found = []
        for row in self._rows:
            first = at["first.weight"] * mp.matrix(row) + at["first.bias"]
            hidden = mp.matrix([self._function(x) for x in first])
            found.append(list(at["second.weight"] * hidden + at["second.bias"]))
        return found

    def curvature(self) -> Any:
        """Return V = mean ||v||^2."""
        with mp.workprec(BITS):
            return mp.fsum(x * x for row in self._v for x in row) / len(self._rows)

    def alignment(self, eps: float) -> Any:
        """Return a(eps) = mean v . (f_teacher - f_base)."""
        with mp.workprec(BITS):
            moved = self._outputs(mp.mpf(eps))
            return mp.fsum(
                v * (y - z) for rows in zip(self._v, moved, self._z, strict=True) for v, y, z in zip(*rows, strict=True)
            ) / len(self._rows)

    def remainder_order(self, eps: float) -> float:
        """Return the log2 ratio of |a - eps V| at eps and at half of it: 2 or more where a is C^2 at 0 on the ray."""
        with mp.workprec(BITS):
            V = self.curvature()
            sizes = [abs(self.alignment(one) - mp.mpf(one) * V) for one in (eps, eps / 2)]
            return float("inf") if not sizes[1] else float(mpmath.log(sizes[0] / sizes[1], 2))


def _exact(params: Params) -> dict[str, Any]:
    found = {}
    for name, value in params.items():
        rows = value.tolist() if value.dim() == 2 else [[x] for x in value.tolist()]
        found[name] = mp.matrix([[mp.mpf(x) for x in row] for row in rows])
    return found
