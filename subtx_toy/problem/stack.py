"""Perceptrons as numpy arrays, one problem's or a stack's of one shape, for the routes that are written out by hand.

Weights are ``[..., o, i]``, biases ``[..., o, 1]`` and values ``[..., h, n]`` with the inputs last; a leading axis is
of problems or of step sizes. Both routes stand on the forward pass in here, as the others do on ``MLP.apply``: an error
in it shows in the comparison with those, and only there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch

from subtx_toy.errors import InputError
from subtx_toy.problem.activations import ACTIVATIONS, Activation
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem, flattened
from subtx_toy.problem.trait_loss import LabelledCrossEntropy, TargetedSquaredError, TraitLoss

Array = npt.NDArray[np.float64]
T = TypeVar("T")
Layers = list[tuple[Array, Array]]
"""Weights and biases, from the inputs on."""

Slope = Array | Callable[[Array], Array]
"""The derivative of a hidden layer's function: of each entry, or what pulls slopes back through it."""


def _gelu_slope(z: Array, _a: Array) -> Array:
    # Phi(z) + z phi(z)
    doubled = torch.from_numpy(z * 0.5**0.5).erf_().numpy() + 1
    slope: Array = doubled * 0.5 + z * np.exp(-0.5 * z * z) * (2 * np.pi) ** -0.5
    return slope


_SLOPES: dict[object, Callable[[Array, Array], Array]] = {
    ACTIVATIONS["tanh"].derivative_over: lambda _z, a: 1 - a * a,
    ACTIVATIONS["sigmoid"].derivative_over: lambda _z, a: a - a * a,
    ACTIVATIONS["gelu"].derivative_over: _gelu_slope,
}
"""Derivatives given sums and values: on a hundred numbers an operation of torch takes ten times as long as numpy's."""


def _slope(activation: Activation, z: Array, a: Array) -> Array:
    if activation.derivative_over in _SLOPES:
        return _SLOPES[activation.derivative_over](z, a)
    activation.derivative_over(torch.from_numpy(z), torch.from_numpy(a))
    return z


_NUMPY_TANH = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
"""A tanh takes numpy 1.7 ns with AVX-512 and 14 ns without, torch 5 to 6 ns, and 2 sigmoid(2 z) - 1 three; that errs by
2e-16, as a sum with terms of size 1 does."""


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
        "distillation_loss": (loss.formula, loss.temperature) if loss.formula else loss,
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
        """Return s'(z) of each hidden layer; they may take the place of its sums."""
        return [_slope(activation, z, a) for z, a in zip(self.sums[:-1], self.inputs[1:], strict=True)]

    def gradient(self, r: Array, slopes: Sequence[Slope]) -> Array:
        """Return the gradient ``[..., p]`` of a loss whose slope in the outputs is ``r``, given those of the layers."""
        end = sum(W.shape[-2] * (W.shape[-1] + 1) for W, _ in self.layers)
        found, ones = np.empty((*r.shape[:-2], end)), np.ones((r.shape[-1], 1))
        for (W, _), a, slope in reversed(list(zip(self.layers, self.inputs, [None, *slopes], strict=True))):
            o, i = W.shape[-2:]
            at, middle = end - o * (i + 1), end - o
            np.matmul(r, a.swapaxes(-1, -2), out=found[..., at:middle].reshape(*r.shape[:-2], o, i))
            np.matmul(r, ones, out=found[..., middle:end, None])
            end = at
            if slope is not None:
                r = W.swapaxes(-1, -2) @ r
                r = slope(r) if callable(slope) else r * slope
        return found


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


def remembered(known: dict[float, Array], every: Sequence[float], compute: Callable[[list[float]], Array]) -> Array:
    """Return what ``compute`` gives at these eps, asked only for those that are not ``known``."""
    missing = [eps for eps in every if eps not in known]
    if missing:
        found = compute(missing)
        known.update(zip(missing, found, strict=True))
        if len(missing) == len(every):
            return found
    return np.array([known[eps] for eps in every])


def stacked(problems: Sequence[Problem], eps: float | None) -> tuple[Array, Array, Array, Array]:
    """Return inputs ``[s, d, n]``, base and update ``[s, p]``, and eps ``[s, 1]``, each problem's own by default."""
    vectors = torch.stack([problem.flat for problem in problems], dim=1).numpy()
    inputs = torch.stack([problem.inputs for problem in problems]).mT.numpy()
    steps = np.array([[problem.eps if eps is None else eps] for problem in problems])
    return inputs, vectors[0], vectors[1], steps


def trait_steps(problems: Sequence[Problem]) -> Array:
    """Return minus the gradients ``[s, p]`` of the trait losses of drawn perceptrons of one shape."""
    model, traits = perceptron(problems[0]), [cast(TraitLoss, problem.trait_loss) for problem in problems]
    values = [cast(LabelledCrossEntropy | TargetedSquaredError, trait.value) for trait in traits]
    base = np.array([flattened(problem.base_params, model.param_names) for problem in problems])
    x = np.array([trait.inputs.numpy() for trait in traits]).swapaxes(-1, -2)
    found = forward(cut(model, base), x, model.activation)
    r, n = np.zeros(found.outputs.shape), x.shape[-1]
    slope = found.outputs[:, values[0].columns]
    if isinstance(values[0], LabelledCrossEntropy):
        slope = np.exp(slope - slope.max(1, keepdims=True))
        slope /= slope.sum(1, keepdims=True)
        labels = np.array([cast(LabelledCrossEntropy, value).labels.numpy() for value in values])
        slope[np.arange(len(values))[:, None], labels, np.arange(n)] -= 1
    else:
        slope = slope - np.array([cast(TargetedSquaredError, value).targets.numpy().T for value in values])
    r[:, values[0].columns] = slope / -n
    return found.gradient(r, found.slopes(model.activation))


def layers_of(params: Params) -> Layers:
    """Return views of the parameters as layers."""
    names = [(f"layers.{at}.weight", f"layers.{at}.bias") for at in range(len(params) // 2)]
    return [(params[weight].numpy(), params[bias].numpy()[:, None]) for weight, bias in names]


def activated(activation: Activation, z: Array) -> tuple[Array, Array]:
    """Return values and derivatives of an activation; ``z`` may be overwritten."""
    a = _activated(activation, z)
    return a, _slope(activation, z, a)


def _activated(activation: Activation, z: Array) -> Array:
    # By the fastest way this processor has.
    if activation is not ACTIVATIONS["tanh"]:
        return activation.apply(torch.from_numpy(z)).numpy()
    if _NUMPY_TANH:
        return np.tanh(z)
    a: Array = torch.from_numpy(z + z).sigmoid_().numpy()
    a *= 2
    a -= 1
    return a
