"""Perceptrons as numpy arrays, one problem's or a stack's of one shape, for the routes that are written out by hand.

Weights are ``[..., o, i]``, biases ``[..., o, 1]`` and values ``[..., h, n]`` with the inputs last; a leading axis is
of problems or of step sizes. Both routes stand on the forward pass in here, as the others do on ``MLP.apply``: an error
in it shows in the comparison with those, and only there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem.activations import Activation
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem

Array = npt.NDArray[np.float64]
T = TypeVar("T")
Layers = list[tuple[Array, Array]]
"""Weights and biases, from the inputs on."""

_NUMPY_TANH = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
"""A tanh takes numpy 1.7 ns with AVX-512 and 14 ns without, torch 5 to 6 ns, and 2 sigmoid(2 z) - 1 three; that errs by
2e-16, as a sum with terms of size 1 does."""

_MINUS_ONE = torch.tensor(-1.0, dtype=torch.float64)


def require_one_shape(problems: Sequence[Problem]) -> None:
    """Refuse problems that are no float64 perceptrons of one shape, one loss and one distilled set."""
    if not problems:
        raise InputError("problems: expected at least one, got none")
    first = problems[0]
    if not isinstance(first.model, MLP):
        raise InputError(f"problems[0].model: expected an MLP, got {type(first.model).__name__}: use the single route")
    first.require_float64()
    wanted = _shape(first)
    InputError.gather(
        f"problems[{at}].{field}: expected {wanted[field]} like the first, got {got}"
        for at, problem in enumerate(problems)
        for field, got in _shape(problem).items()
        if got != wanted[field]
    )


def _shape(problem: Problem) -> dict[str, object]:
    loss = problem.distillation_loss
    return {
        "model": problem.model,
        "inputs": (tuple(problem.inputs.shape), problem.inputs.dtype),
        # A user's loss is known by identity, not by its name.
        "distillation_loss": (loss.name, loss.temperature) if loss.name in ("squared_error", "kl") else loss,
        "columns": problem.columns,
    }


class Pass(NamedTuple):
    """A forward pass: what goes into each layer, and the sums W a + b that come out of it; the last are the outputs."""

    layers: Layers
    inputs: list[Array]
    sums: list[Array]

    @property
    def outputs(self) -> Array:
        """All outputs ``[..., k, n]``."""
        return self.sums[-1]

    def slopes(self, activation: Activation) -> list[Array]:
        """Return s'(z) of each hidden layer; they take the place of its sums."""
        for z, a in zip(self.sums[:-1], self.inputs[1:], strict=True):
            activation.derivative_over(torch.from_numpy(z), torch.from_numpy(a))
        return self.sums[:-1]


def forward(layers: Layers, x: Array, activation: Activation) -> Pass:
    """Run the net on inputs ``[..., d, n]``."""
    found = Pass(layers, [x], [])
    for W, b in layers:
        z = W @ found.inputs[-1]
        z += b
        found.sums.append(z)
        if len(found.sums) < len(layers):
            found.inputs.append(_activated(activation, z))
    return found


Change = Callable[[int, Tensor], Tensor]
"""From the number of a hidden layer and what goes in or comes out of its activation, to what stands in its place."""


def apply_stacked(
    model: MLP, params: Params, x: Tensor, *, before: Change | None = None, after: Change | None = None
) -> Float[Tensor, "s n k"]:
    """Run nets whose parameters have a leading axis, differentiably; the changes act around the activations."""
    for layer in range(model.num_layers):
        weight, bias = (params[f"layers.{layer}.{kind}"] for kind in ("weight", "bias"))
        x = x @ weight.mT + bias.unsqueeze(-2)
        if layer < model.num_layers - 1:
            x = model.activation.apply(before(layer, x) if before else x)
            x = after(layer, x) if after else x
    return x


def cut(model: MLP, vectors: Array) -> Layers:
    """Return views of vectors ``[..., p]``, in the order of ``Problem.flat``, as layers."""
    found, at = [], 0
    for d_in, d_out in itertools.pairwise(model.sizes):
        end = at + d_in * d_out
        weights = vectors[..., at:end].reshape(*vectors.shape[:-1], d_out, d_in)
        at = end + d_out
        found.append((weights, vectors[..., end:at, None]))
    return found


def perceptron(problem: Problem) -> MLP:
    """Return the problem's model, which is known to be a perceptron."""
    assert isinstance(problem.model, MLP)
    return problem.model


def kept(problem: Problem, name: str, compute: Callable[[], T]) -> T:
    """Return what ``compute`` gave first; problems with another loss or other columns share it with their original."""
    found: dict[str, T] = problem.__dict__.setdefault("_kept", {})
    if name not in found:
        found[name] = compute()
    return found[name]


def stacked(problems: Sequence[Problem], eps: float | None) -> tuple[Array, Array, Array, Array]:
    """Return inputs ``[s, d, n]``, base and update ``[s, p]``, and eps ``[s, 1]``, each problem's own by default."""
    vectors = torch.stack([problem.flat for problem in problems], dim=1).numpy()
    inputs = torch.stack([problem.inputs for problem in problems]).mT.numpy()
    steps = np.array([[problem.eps if eps is None else eps] for problem in problems])
    return inputs, vectors[0], vectors[1], steps


def layers_of(params: Params) -> Layers:
    """Return views of the parameters as layers."""
    names = [(f"layers.{at}.weight", f"layers.{at}.bias") for at in range(len(params) // 2)]
    return [(params[weight].numpy(), params[bias].numpy()[:, None]) for weight, bias in names]


def _activated(activation: Activation, z: Array) -> Array:
    # By the fastest way this processor has.
    if activation.name == "tanh" and _NUMPY_TANH:
        return np.tanh(z)
    a = np.empty_like(z)
    if activation.name == "tanh":
        out = torch.from_numpy(a)
        torch.add(torch.from_numpy(z), torch.from_numpy(z), out=out).sigmoid_()
        torch.add(_MINUS_ONE, out, alpha=2, out=out)
    else:
        activation.apply_into(torch.from_numpy(z), torch.from_numpy(a))
    return a
