"""Thousands of small perceptron problems at once: curvature and exact alignment (claims C1 and C5).

Normalisation as everywhere: SUM over the distilled outputs, MEAN over the n inputs of each problem. Problems of one
shape are stacked along a first axis s and one product a layer serves them all, numpy's, which is faster than torch's on
small matrices; Jacobian products are written out by hand, so that the single route, by torch.func, checks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.losses import Loss
from subtx_toy.models import MLP
from subtx_toy.problem import Problem
from subtx_toy.theory.curvature import curvature_per_input

CHUNK = 128
"""Problems stacked at once: their activations stay in the second-level cache. Fastest of 16 to 1,000 at width 16."""

_NUMPY_TANH = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
"""A tanh takes numpy 1.7 ns with AVX-512 and 14 ns without, torch 5 to 6 ns, and 2 sigmoid(2 z) - 1 four; that errs by
2e-16, as a sum with terms of size 1 does."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BatchedPrediction:
    """What theory says of each of s problems, ``[s]``.

    Attributes:
        curvature: V = dT^T G dT, the slope of the alignment at eps = 0; never negative for squared error and kl.
        alignment: student_update . teacher_update at the eps asked for, exact up to rounding.
    """

    curvature: Float[Tensor, " s"]
    alignment: Float[Tensor, " s"]


@torch.no_grad()
def predict(problems: Sequence[Problem], eps: float | None = None) -> BatchedPrediction:
    """Predict curvature and alignment of problems of one shape; ``eps`` is each problem's own by default.

    a(eps) = -mean_n <v_n, dl/dz(f_base(x_n), f_teacher(eps)(x_n))>,   V = mean_n v_n^T M_n v_n,   v = J dT

    Raises:
        InputError: if a problem is no float64 perceptron, or of another shape, loss or distilled set than the first.
    """
    InputError.gather(_mismatches(problems))
    chunks = [_predict(problems[at : at + CHUNK], eps) for at in range(0, len(problems), CHUNK)]
    return BatchedPrediction(*(torch.cat(pieces) for pieces in zip(*chunks, strict=True)))


def _predict(problems: Sequence[Problem], eps: float | None) -> tuple[Tensor, Tensor]:
    first, num = problems[0], len(problems)
    assert isinstance(first.model, MLP)
    columns, loss = first.columns, first.distillation_loss
    layers = [_Layer.of(problems, at) for at in range(first.model.num_layers)]
    x = torch.cat([one.inputs for one in problems]).view(num, *first.inputs.shape).mT.contiguous().numpy()
    steps = np.array([one.eps if eps is None else eps for one in problems])[:, None, None]
    outputs, product = _outputs_and_product(first.model, layers, x)
    targets = _outputs(first.model, layers, x, steps)
    z, v, y = (torch.from_numpy(one).mT[..., columns].flatten(0, 1) for one in (outputs, product, targets))
    r = loss.output_gradient(z, y)
    return _curvature_per_input(loss, z, v).view(num, -1).mean(1), -(v * r).sum(-1).view(num, -1).mean(1)


@dataclass(frozen=True)
class _Layer:
    """One layer of s problems: the base's weights and biases above those of the teacher's update, ``[s, 2 o, i]``."""

    weights: Array
    biases: Array
    width: int

    @classmethod
    def of(cls, problems: Sequence[Problem], layer: int) -> _Layer:
        weight, bias = f"layers.{layer}.weight", f"layers.{layer}.bias"
        width, fan_in = problems[0].base_params[weight].shape
        # One concatenation each; stacking them one by one would make a view of every tensor first.
        pairs = [(one.base_params, one.teacher_update) for one in problems]
        weights = torch.cat([params[weight] for pair in pairs for params in pair])
        biases = torch.cat([params[bias] for pair in pairs for params in pair])
        return cls(weights.view(-1, 2 * width, fan_in).numpy(), biases.view(-1, 2 * width, 1).numpy(), width)

    def teacher(self, steps: Array) -> tuple[Array, Array]:
        """Return weights and biases of the teacher."""
        moved = [steps * both[:, self.width :] for both in (self.weights, self.biases)]
        moved[0] += self.weights[:, : self.width]
        moved[1] += self.biases[:, : self.width]
        return moved[0], moved[1]


def _outputs(model: MLP, layers: Sequence[_Layer], a: Array, steps: Array) -> Array:
    for at, layer in enumerate(layers):
        weights, biases = layer.teacher(steps)
        z = weights @ a
        z += biases
        a = _activate(model, z) if at < len(layers) - 1 else z
    return a


def _outputs_and_product(model: MLP, layers: Sequence[_Layer], a: Array) -> tuple[Array, Array]:
    # z = W a + b  and  v = dW a + db + W a',   then  a = s(z)  and  a' = s'(z) v
    tangent = None
    z = v = a
    for at, layer in enumerate(layers):
        both = layer.weights @ a
        both += layer.biases
        z, v = both[:, : layer.width], both[:, layer.width :]
        if tangent is not None:
            v += layer.weights[:, : layer.width] @ tangent
        if at < len(layers) - 1:
            a = _activate(model, z)
            tangent = model.activation.derivative_over(torch.from_numpy(z), torch.from_numpy(a)).numpy()
            tangent *= v
    return z, v


def _curvature_per_input(loss: Loss, z: Float[Tensor, "n k"], v: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
    if loss.name != "kl":
        return curvature_per_input(loss, z, v)
    # The same variance of v under the softmax, over the first axis, where torch's kernel is 7 times faster.
    p = torch.softmax(z.T.contiguous() / loss.temperature, dim=0)
    centred = v.T - (p * v.T).sum(0)
    return (p * centred**2).sum(0) / loss.temperature**2


def _activate(model: MLP, z: Array) -> Array:
    if model.activation.name == "tanh":
        if _NUMPY_TANH:
            return np.tanh(z)
        half = torch.from_numpy(2 * z).sigmoid_()
        return half.mul_(2).sub_(1).numpy()
    return model.activation.apply(torch.from_numpy(z)).numpy()


def _mismatches(problems: Sequence[Problem]) -> list[str]:
    if not problems:
        return ["problems: expected at least one, got none"]
    first = problems[0]
    if not isinstance(first.model, MLP):
        return [f"problems[0].model: expected an MLP, got {type(first.model).__name__}: use the single route"]
    first.require_float64()
    want, found = _shape(first), []
    for at, problem in enumerate(problems):
        shape = _shape(problem)
        if shape == want:
            continue
        for field, value in shape.items():
            if value != want[field]:
                found.append(f"problems[{at}].{field}: expected {want[field]} like the first, got {value}")
    return found


def _shape(problem: Problem) -> dict[str, object]:
    loss = problem.distillation_loss
    known = loss.name in ("squared_error", "kl")  # a user's loss is told by identity, not by its name
    return {
        "model": problem.model,
        "inputs": (tuple(problem.inputs.shape), problem.inputs.dtype),
        "distillation_loss": (loss.name, loss.temperature) if known else loss,
        "columns": problem.columns,
    }
