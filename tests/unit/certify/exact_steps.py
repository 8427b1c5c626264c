"""A student's plain steps at one step size of the teacher, in arb at 200 bits: no series, no boxes, no float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import arb, arb_mat, ctx

from subtx_toy.certify.description import Description

BITS = 200


def _normal_cdf(x: arb) -> arb:
    return (-x / arb(2).sqrt()).erfc() / 2


def _sigmoid(x: arb) -> arb:
    return 1 / (1 + (-x).exp())


UNITS: dict[str, tuple[Callable[[arb], arb], Callable[[arb], arb]]] = {
    "tanh": (arb.tanh, lambda x: 1 - x.tanh() ** 2),
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * (1 - _sigmoid(x))),
    "softplus": (lambda x: x.exp().log1p(), _sigmoid),
    "gelu": (lambda x: x * _normal_cdf(x), lambda x: _normal_cdf(x) + x * (-x * x / 2).exp() / (2 * arb.pi()).sqrt()),
}


def matrix(values: np.ndarray) -> arb_mat:
    """The exact matrix of float64 numbers; a vector is one row."""
    rows = np.atleast_2d(values)
    return arb_mat(rows.shape[0], rows.shape[1], [arb(one) for one in rows.ravel().tolist()])


def entrywise(function: Callable[..., arb], *matrices: arb_mat) -> arb_mat:
    first = matrices[0]
    found = [function(*one) for one in zip(*(each.entries() for each in matrices), strict=True)]
    return arb_mat(first.nrows(), first.ncols(), found)


class ExactSteps:
    """Weights ``[in, out]`` and biases ``[1, out]`` in turn, of the last layer the distilled outputs alone."""

    def __init__(self, described: Description, start: dict[str, np.ndarray] | None = None) -> None:
        self.described = described
        self.value, self.slope = UNITS[described.activation]
        self.base = self._of("", described.arrays)
        self.start = self.base if start is None else self._of("", start)
        self.direction = self._of("direction.", described.arrays)

    def _of(self, prefix: str, arrays: dict[str, np.ndarray]) -> list[arb_mat]:
        found = []
        for layer in range(self.described.num_layers):
            rows = self.described.columns if layer == self.described.num_layers - 1 else slice(None)
            weight, bias = (arrays[f"{prefix}layers.{layer}.{kind}"][rows] for kind in ("weight", "bias"))
            found += [matrix(weight).transpose(), matrix(bias)]
        return found

    def after(self, eps: float, num_steps: int) -> list[list[arb_mat]]:
        """The parameters after 1 ... num_steps steps towards the teacher at ``eps``."""
        before, ctx.prec = ctx.prec, BITS
        try:
            teacher = [one + rate * arb(eps) for one, rate in zip(self.base, self.direction, strict=True)]
            answer, at, found = self._answer(self._forward(teacher)[1][-1]), self.start, []
            for _ in range(num_steps):
                at = [
                    one + dS * arb(self.described.student_lr)
                    for one, dS in zip(at, self._update(at, answer), strict=True)
                ]
                found.append(at)
            return found
        finally:
            ctx.prec = before

    def aligned(self, at: list[arb_mat]) -> arb:
        """<theta - start, dT>."""
        before, ctx.prec = ctx.prec, BITS
        try:
            total = arb(0)
            for one, first, rate in zip(at, self.start, self.direction, strict=True):
                total += sum(entrywise(arb.__mul__, one - first, rate).entries(), arb(0))
            return total
        finally:
            ctx.prec = before

    def _forward(self, at: list[arb_mat]) -> tuple[list[arb_mat], list[arb_mat]]:
        a, inputs, passed = matrix(self.described.arrays["inputs"]), [], []
        ones = arb_mat(a.nrows(), 1, [arb(1)] * a.nrows())
        for W, b in zip(at[::2], at[1::2], strict=True):
            inputs.append(a)
            passed.append(a * W + ones * b)
            a = entrywise(self.value, passed[-1])
        return inputs, passed

    def _answer(self, z: arb_mat) -> arb_mat:
        if self.described.loss == "squared_error":
            return z
        tau, rows = arb(self.described.temperature), []
        for row in z.tolist():
            powers = [(one / tau).exp() for one in row]
            rows.append([one / sum(powers, arb(0)) / tau for one in powers])
        return arb_mat(rows)

    def _update(self, at: list[arb_mat], answer: arb_mat) -> list[arb_mat]:
        inputs, passed = self._forward(at)
        n = inputs[0].nrows()
        delta = (answer - self._answer(passed[-1])) * (1 / arb(n))
        ones, found = arb_mat(1, n, [arb(1)] * n), list[arb_mat]()
        for layer in range(len(inputs) - 1, -1, -1):
            found = [inputs[layer].transpose() * delta, ones * delta, *found]
            if layer:
                slopes = entrywise(self.slope, passed[layer - 1])
                delta = entrywise(arb.__mul__, delta * at[2 * layer].transpose(), slopes)
        return found
