"""G = A^T A seen from the outputs: the matrix A A^T, its eigenvalues, and functions of G through it.

A = M^(1/2) J / sqrt(n) has a row per distilled output of each input, so A A^T is small where inputs are few, however
many parameters there are. With squared error it is Theta / n, Theta the empirical neural tangent kernel: Theta SUMS
over inputs and G takes their MEAN.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.theory import linearization, perceptron
from subtx_toy.theory.curvature import DENSE_LIMIT, output_hessians

Function = Callable[[Float[np.ndarray, " r"]], Float[np.ndarray, " r"]]


class OutputKernel:
    """Functions of G on what the outputs see of a vector; for losses whose Hessian at agreement is not negative.

    Args:
        problem: in float64.
        num_rows: how many rows A A^T may have, ``DENSE_LIMIT`` by default: its eigenvectors cost their cube.

    Raises:
        InputError: if inputs times distilled outputs are more than that.
    """

    def __init__(self, problem: Problem, *, num_rows: int = DENSE_LIMIT) -> None:
        size = linearization.base_outputs(problem).numel()
        if size > num_rows:
            raise InputError(f"inputs: expected at most {num_rows} inputs times outputs for a dense kernel, got {size}")
        self.problem = problem

    @cached_property
    def _roots(self) -> Float[Tensor, "n k k"]:
        # M^(1/2) / sqrt(n) of each input
        M = output_hessians(self.problem)
        if self.problem.distillation_loss.formula == "squared_error":
            root: Tensor = M / len(M) ** 0.5
            return root
        sizes, axes = torch.linalg.eigh(M)
        scaled: Tensor = (axes * (sizes.clamp_min(0) / len(M)).sqrt()[:, None]) @ axes.mT
        return scaled

    @cached_property
    def matrix(self) -> Float[Tensor, "r r"]:
        """A A^T, rows in the order input * k + output."""
        n, k = len(self._roots), self._roots.shape[-1]
        if isinstance(self.problem.model, MLP):
            theta = torch.from_numpy(perceptron.gram(self.problem)).view(n, k, n, k)
        else:
            J = linearization.dense_jacobian(self.problem).flatten(0, 1)
            theta = (J @ J.T).view(n, k, n, k)
        theta = torch.einsum("nik,nkml->niml", self._roots, theta)
        kernel = torch.einsum("niml,mlj->nimj", theta, self._roots).reshape(n * k, n * k)
        return (kernel + kernel.T) / 2

    @cached_property
    def modes(self) -> tuple[Float[Tensor, " r"], Float[Tensor, "r r"]]:
        """Eigenvalues of A A^T, ascending, those of G but for zeros, and its eigenvectors as columns."""
        values, columns = torch.linalg.eigh(self.matrix)
        return values, columns

    @property
    def largest(self) -> float:
        """lambda_max of G, never negative."""
        return max(float(self.modes[0][-1]), 0.0)

    def seen(self, vector: Float[Tensor, " p"]) -> Float[Tensor, " r"]:
        """Return A ``vector``, by one forward-mode pass."""
        base = self.problem.base_params
        Jv = linearization.jacobian_product(self.problem, vectors.unflatten(vector, base))[1]
        return self.seen_outputs(Jv)

    def seen_outputs(self, changes: Float[Tensor, "n k"]) -> Float[Tensor, " r"]:
        """Return M^(1/2) / sqrt(n) times changes of the outputs, such as f_teacher - f_base."""
        return torch.einsum("nik,nk->ni", self._roots, changes).flatten()

    def back(self, weights: Float[Tensor, " r"]) -> Float[Tensor, " p"]:
        """Return A^T ``weights``, by one reverse-mode pass."""
        r = torch.einsum("nik,ni->nk", self._roots, weights.view(len(self._roots), -1))
        return linearization.pulled_back(self.problem, r)

    def components(self, seen: Float[Tensor, " r"]) -> Float[Tensor, " r"]:
        """Return the components of ``seen`` along the eigenvectors: sqrt(lambda_j) u_j . v for ``seen(v)``."""
        return self.modes[1].T @ seen

    def applied(self, function: Function, seen: Float[Tensor, " r"]) -> Float[Tensor, " p"]:
        """Return f(G) v for ``seen(v)``, of a function with f(0) = 0: A^T C (f(lambda) / lambda) C^T A v.

        Eigenvalues at rounding level, of which f is nearly zero, are left out.
        """
        values, columns = self.modes
        floor = len(values) * torch.finfo(values.dtype).eps * self.largest
        above = values > floor
        kept = torch.where(above, values, 1.0)
        ratios = torch.where(above, torch.from_numpy(function(kept.numpy())) / kept, 0.0)
        return self.back(columns @ (ratios * self.components(seen)))
