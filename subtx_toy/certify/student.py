"""The student's update without ever forming it: dS = J^T rho is of rank n, so products with inputs' kernels suffice."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from subtx_toy.certify.activations import ACTIVATIONS, Series, log_sum_exp, square_term
from subtx_toy.certify.balls import Ball, dot
from subtx_toy.certify.balls.ball import stack, zeros
from subtx_toy.certify.balls.rounding import up
from subtx_toy.certify.description import Description
from subtx_toy.certify.jets import Box, Jet, from_terms
from subtx_toy.certify.ray import refuse_kinks


class StudentStep:
    """One step from the shared init: dS(eps) = (1/n) sum_i J_i^T rho_i(eps), rho = -dl/dz at the init.

    With a_l the inputs ``[n, w]`` of layer l at the init and delta_l ``[n, w']`` the backward pass of rho / n, the
    update of the layer's weight is delta_l^T a_l and that of its bias 1^T delta_l. All are linear in rho.
    """

    def __init__(self, described: Description) -> None:
        self.described = described
        self.activation = ACTIVATIONS[described.activation]
        self.layers = [tuple(map(Ball.exact, described.base(number))) for number in range(described.num_layers)]

    def _forward(self, field: str) -> list[tuple[Ball, Ball]]:
        # Input and pre-activation of every layer at the init, for the inputs under this name.
        a, passed = Ball.exact(self.described.arrays[field]), []
        for number, (W, b) in enumerate(self.layers):
            z = dot(a, W.T) + b
            passed.append((a, z))
            if number < len(self.layers) - 1:
                if not self.activation.smooth:
                    refuse_kinks(z, number, field)
                a = self.activation.series([z])[0]
        return passed

    @cached_property
    def _at_init(self) -> tuple[list[Ball], list[Ball]]:
        # Inputs of every layer, and slopes of every hidden one.
        passed = self._forward("inputs")
        return [a for a, _ in passed], [self.activation.slopes(z) for _, z in passed[:-1]]

    def input_sizes(self) -> list[np.ndarray]:
        """Bound the Euclidean norms ``[n]`` of every layer's inputs at the init."""
        return [up(np.linalg.norm(a.magnitude(), axis=1) * (1 + 1e-9)) for a in self._at_init[0]]

    @cached_property
    def _kernels(self) -> list[Ball]:
        # a a^T + 1 of every layer: inner products of the updates of weight and bias
        return [dot(a, a.T) + Ball.exact(1.0) for a in self._at_init[0]]

    def backward(self, rho: Series) -> list[Series]:
        """Return the coefficients of delta_l of every layer from those of rho ``[n, k]``."""
        layer_inputs, found = self._at_init
        terms, n = len(rho), rho[0].shape[0]
        delta = stack(rho).over(float(n))
        W = self.layers[-1][0][np.array(self.described.columns)]
        layers = [delta]
        for number in range(len(layer_inputs) - 2, -1, -1):
            delta = dot(delta, W) * stack([found[number]] * terms)
            layers.append(delta)
            W = self.layers[number][0]
        return [[one[k * n : (k + 1) * n] for k in range(terms)] for one in reversed(layers)]

    def squared_norm(self, deltas: list[Series], k: int) -> Ball:
        """Return coefficient k of ||dS||^2 = sum_l <delta_l, (a_l a_l^T + 1) delta_l>."""
        total = Ball.exact(0.0)
        for kernel, delta in zip(self._kernels, deltas, strict=True):
            width, through = delta[0].shape[1], dot(kernel, stack(delta[: k + 1], axis=1))
            for j in range(k + 1):
                total = total + (through[:, j * width : (j + 1) * width] * delta[k - j]).sum()
        return total

    def trait_loss(self, rho: Jet, box: Box) -> Jet:
        """Enclose the trait loss at the init + student_lr dS, for the rho of a box: mean over inputs."""
        deltas = self.backward(rho.terms)
        first, *rest = ([one.scaled(self.described.student_lr) for one in delta] for delta in deltas)
        z = self._first_layer(from_terms(first, box), box)
        for number, delta in enumerate(rest, start=1):
            z = self._layer(number, z.map(self.activation.series, box), from_terms(delta, box), box)
        return from_terms([*self._mean_loss(z.centre), self._mean_loss(z.box)[-1]], box)

    def loss_at_init(self) -> Ball:
        """Enclose the trait loss at the shared init."""
        _, z = self._forward("trait_inputs")[-1]
        return self._mean_loss([z[:, np.array(self.described.trait_columns)]])[0]

    @cached_property
    def _trait_kernel(self) -> Ball:
        return dot(Ball.exact(self.described.arrays["trait_inputs"]), self._at_init[0][0].T) + Ball.exact(1.0)

    def _rows(self, number: int, delta: Ball) -> Ball:
        # Of the last layer only the trait's columns are looked at, and only the distilled ones have moved.
        if number < self.described.num_layers - 1:
            return delta
        wanted, moved = self.described.trait_columns, self.described.columns
        padded = stack([delta, zeros((delta.shape[0], 1))], axis=1)
        return padded[:, [moved.index(column) if column in moved else -1 for column in wanted]]

    def _affine_at_init(self, number: int) -> tuple[Ball, Ball]:
        rows = np.array(self.described.trait_columns) if number == self.described.num_layers - 1 else slice(None)
        W, b = self.layers[number]
        return W[rows].T, b[rows]

    def _first_layer(self, delta: Jet, box: Box) -> Jet:
        # z(eps) = x W + b + student_lr (x a^T + 1) delta(eps): as good as delta itself
        W, b = self._affine_at_init(0)
        still = dot(Ball.exact(self.described.arrays["trait_inputs"]), W) + b
        moved = [dot(self._trait_kernel, self._rows(0, one)) for one in delta.terms]
        moved[0] = moved[0] + still
        return from_terms(moved, box)

    def _layer(self, number: int, y: Jet, delta: Jet, box: Box) -> Jet:
        # z_k = y_k W + [k = 0] b + sum_j (y_j a^T + [j = 0]) student_lr delta_(k-j)
        K, a = len(y.centre), self._at_init[0][number]
        W, b = self._affine_at_init(number)
        rows = y.centre[0].shape[0]
        through = dot(stack(y.terms), W)
        kernels = dot(stack([*y.centre, *y.box]), a.T)
        terms = [through[k * rows : (k + 1) * rows] for k in range(K + 1)]
        gram = [kernels[k * rows : (k + 1) * rows] for k in range(2 * K + 1)]
        at_centre, over_box = gram[:K], gram[K:]
        at_centre[0], over_box[0] = at_centre[0] + Ball.exact(1.0), over_box[0] + Ball.exact(1.0)
        small = Jet([self._rows(number, one) for one in delta.centre], [self._rows(number, one) for one in delta.box])
        for k in range(K):
            for j in range(k + 1):
                terms[k] = terms[k] + dot(at_centre[j], small.centre[k - j])
        for j in range(K + 1):
            terms[K] = terms[K] + dot(over_box[j], small.box[K - j])
        terms[0] = terms[0] + b
        return from_terms(terms, box)

    def _mean_loss(self, z: Series) -> Series:
        targets, n = self.described.arrays["trait_targets"], float(z[0].shape[0])
        if self.described.trait == "cross_entropy":
            place = np.arange(int(n)), targets.astype(np.int64)
            per_input = [total - one[place] for total, one in zip(log_sum_exp(z), z, strict=True)]
        else:
            gap = [z[0] - Ball.exact(targets), *z[1:]]
            per_input = [square_term(gap, k).sum(-1).scaled(0.5) for k in range(len(gap))]
        return [one.sum().over(n) for one in per_input]
