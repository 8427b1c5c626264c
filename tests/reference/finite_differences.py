"""The dumb route to J and G: one forward pass a parameter, and no automatic differentiation."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch

from subtx_toy.problem.params import flatten, unflatten
from subtx_toy.problem.problem import Problem
from subtx_toy.tolerances import FINITE_DIFFERENCE_STEP


def central_jacobian(problem: Problem) -> np.ndarray:
    """Return J ``[n, k, p]`` by central differences."""
    base = flatten(problem.base_params)
    columns = []
    for at in range(len(base)):
        step = torch.zeros_like(base)
        step[at] = FINITE_DIFFERENCE_STEP
        plus = problem.distilled(unflatten(base + step, problem.base_params))
        minus = problem.distilled(unflatten(base - step, problem.base_params))
        columns.append((plus - minus) / (2 * FINITE_DIFFERENCE_STEP))
    return torch.stack(columns, dim=-1).detach().numpy()


def complex_step_jacobian(function: Callable[[np.ndarray], np.ndarray], base: np.ndarray) -> np.ndarray:
    """Return J ``[n, k, p]`` of a function that takes complex vectors: Im f(base + ih e) / h, exact to rounding."""
    columns = []
    for at in range(len(base)):
        step = np.zeros(len(base), dtype=complex)
        step[at] = 1e-30j
        columns.append(function(base + step).imag / 1e-30)
    return np.stack(columns, axis=-1)


def tanh_perceptron(sizes: tuple[int, ...], inputs: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the outputs ``[n, k]`` as a function of the flat vector (weight, bias, weight, bias, ...)."""

    def outputs(vector: np.ndarray) -> np.ndarray:
        x, at = inputs, 0
        for d_in, d_out in itertools.pairwise(sizes):
            W = vector[at : at + d_in * d_out].reshape(d_out, d_in)
            b = vector[at + d_in * d_out : at + d_in * d_out + d_out]
            at += d_in * d_out + d_out
            x = x @ W.T + b
            if at < len(vector):
                x = np.tanh(x)
        return x

    return outputs


def dense_output_hessian(problem: Problem) -> np.ndarray:
    """Return M ``[n, k, k]`` from its textbook formula, for squared error and kl."""
    z = problem.distilled(problem.base_params).detach().numpy()
    if problem.distillation_loss.name == "squared_error":
        return np.broadcast_to(np.eye(z.shape[1]), (*z.shape, z.shape[1]))
    tau = problem.distillation_loss.temperature
    p = np.exp(z / tau) / np.exp(z / tau).sum(1, keepdims=True)
    return np.stack([(np.diag(row) - np.outer(row, row)) / tau**2 for row in p])


def ggn_from(J: np.ndarray, M: np.ndarray) -> np.ndarray:
    """Return mean_n J_n^T M_n J_n ``[p, p]``."""
    return np.asarray(np.mean([Jn.T @ Mn @ Jn for Jn, Mn in zip(J, M, strict=True)], axis=0))
