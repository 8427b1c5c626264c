"""Multi-layer perceptrons with a head split into class logits and auxiliary logits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.config import NUM_CLASSES, RunConfig
from subtx_toy.one_step_config import OneStepConfig
from subtx_toy.params import Params


@dataclass(frozen=True)
class Activation:
    """A nonlinearity in the forms that autograd takes and that buffers which are used again take.

    Attributes:
        name: as in configurations.
        apply: the function, differentiable by autograd.
        apply_into: ``(z, out)`` writes the values at ``z`` to ``out``.
        derivative_over: ``(z, a)`` overwrites ``z`` with the derivative there, given the values ``a = apply(z)``.
        smooth: whether it is twice continuously differentiable, as the theory asks.
        gate: of an activation that passes its argument on or blocks it, which rounds nothing in any precision:
            ``(gradient, a, out)`` writes the gradient of what was passed on, else 0, to ``out``, in one pass.
    """

    name: str
    apply: Callable[[Tensor], Tensor]
    apply_into: Callable[[Tensor, Tensor], Tensor]
    derivative_over: Callable[[Tensor, Tensor], Tensor]
    smooth: bool
    gate: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None

    def pull_back(self, gradient: Tensor, a: Tensor, z: Tensor) -> None:
        """Overwrite ``z`` with the gradient in it, given the one in the values ``a = apply(z)``."""
        if self.gate:
            self.gate(gradient, a, z)
        else:
            self.derivative_over(z, a).mul_(gradient)


def _gelu_derivative_over(z: Tensor, _a: Tensor) -> Tensor:
    # GELU(z) = z Phi(z), so its derivative is Phi(z) + z phi(z).
    z_density = z * torch.exp(-0.5 * z * z) * (2 * math.pi) ** -0.5
    return z.mul_(0.5**0.5).erf_().add_(1).mul_(0.5).add_(z_density)


def _tanh_derivative_over(z: Tensor, a: Tensor) -> Tensor:
    return torch.mul(a, a, out=z).neg_().add_(1)


def _sigmoid_derivative_over(z: Tensor, a: Tensor) -> Tensor:
    torch.mul(a, a, out=z)
    return torch.sub(a, z, out=z)


# torch leaves off log1p(exp(-z)) beyond the threshold: 2e-9 at its usual 20, which float64 sees, nothing at 40. In
# float32 the values are the same either way.
_softplus = partial(F.softplus, threshold=40.0)


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        # The sign of relu's value is its derivative, 0 at the kink as in torch.
        Activation(
            "relu",
            torch.relu,
            lambda z, out: torch.clamp_min(z, 0, out=out),
            lambda z, a: torch.sign(a, out=z),
            smooth=False,
            gate=lambda gradient, a, out: torch.ops.aten.threshold_backward(gradient, a, 0, grad_input=out),
        ),
        Activation("tanh", torch.tanh, lambda z, out: torch.tanh(z, out=out), _tanh_derivative_over, smooth=True),
        Activation("gelu", F.gelu, lambda z, out: out.copy_(F.gelu(z)), _gelu_derivative_over, smooth=True),
        Activation(
            "softplus",
            _softplus,
            lambda z, out: out.copy_(_softplus(z)),
            lambda z, _a: torch.sigmoid(z, out=z),
            smooth=True,
        ),
        Activation(
            "sigmoid",
            torch.sigmoid,
            lambda z, out: torch.sigmoid(z, out=out),
            _sigmoid_derivative_over,
            smooth=True,
        ),
    )
}
"""The nonlinearities by name."""


@dataclass(frozen=True)
class MLP:
    """The shape of a multi-layer perceptron: ``sizes[0]`` inputs, hidden layers, ``sizes[-1]`` outputs.

    Parameters are named ``layers.0.weight`` ``[out, in]``, ``layers.0.bias`` ``[out]``, and so on. The first
    ``num_classes`` outputs are the class logits, the others the auxiliary logits.
    """

    sizes: tuple[int, ...]
    activation: Activation
    num_classes: int = NUM_CLASSES

    @classmethod
    def from_config(cls, config: RunConfig | OneStepConfig, *, input_dim: int) -> MLP:
        """Build the net that ``config`` describes, for inputs of ``input_dim`` pixels."""
        hidden = (config.width,) * config.depth
        return cls((input_dim, *hidden, NUM_CLASSES + config.num_aux), ACTIVATIONS[config.activation])

    @property
    def num_layers(self) -> int:
        """Affine layers: one more than there are hidden ones."""
        return len(self.sizes) - 1

    def columns(self, distilled_logits: str) -> slice:
        """Return which outputs ``"class"``, ``"aux"`` or ``"all"`` stands for.

        Raises:
            ValueError: for any other word.
        """
        slices = {
            "class": slice(0, self.num_classes),
            "aux": slice(self.num_classes, None),
            "all": slice(None),
        }
        if distilled_logits not in slices:
            raise ValueError(f"distilled_logits: expected one of {sorted(slices)}, got {distilled_logits!r}")
        return slices[distilled_logits]

    def apply(self, params: Params, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return the logits ``[n, k]`` of the inputs ``[n, d]``."""
        head = f"layers.{self.num_layers - 1}"
        return F.linear(self.hidden(params, x), params[f"{head}.weight"], params[f"{head}.bias"])

    def hidden(self, params: Params, x: Float[Tensor, "n d"]) -> Float[Tensor, "n h"]:
        """Return the activations ``[n, h]`` of the last hidden layer, or the inputs where there is none."""
        for layer in range(self.num_layers - 1):
            x = self.activation.apply(F.linear(x, params[f"layers.{layer}.weight"], params[f"layers.{layer}.bias"]))
        return x


def initialise(
    model: MLP, rng: np.random.Generator, *, init: str, scale: float = 1.0, dtype: torch.dtype = torch.float64
) -> Params:
    """Draw the parameters of ``model``.

    ``"fan_in_normal"``: weights N(0, 1/d_in), biases 0 (Cloud et al. 2025, arXiv:2507.14805). ``"he"``: weights
    N(0, 2/d_in), biases 0 (He et al. 2015, arXiv:1502.01852). ``"pytorch"``: weights and biases uniform within
    1/sqrt(d_in) of zero, as torch.nn.Linear does. All are multiplied by ``scale``.

    The numbers are drawn in float64 and rounded to ``dtype``, so that runs in two precisions start together.

    Raises:
        ValueError: if ``init`` is none of the three.
    """
    params: Params = {}
    for layer, (d_in, d_out) in enumerate(itertools.pairwise(model.sizes)):
        bias = np.zeros(d_out)
        if init == "fan_in_normal":
            weight = rng.standard_normal((d_out, d_in)) * d_in**-0.5
        elif init == "he":
            weight = rng.standard_normal((d_out, d_in)) * (2 / d_in) ** 0.5
        elif init == "pytorch":
            weight = rng.uniform(-1, 1, (d_out, d_in)) * d_in**-0.5
            bias = rng.uniform(-1, 1, d_out) * d_in**-0.5
        else:
            raise ValueError(f"init: expected 'fan_in_normal', 'pytorch' or 'he', got {init!r}")
        params[f"layers.{layer}.weight"] = torch.from_numpy(scale * weight).to(dtype)
        params[f"layers.{layer}.bias"] = torch.from_numpy(scale * bias).to(dtype)
    return params
