"""The nonlinearities by name: values for autograd, and in buffers for the fast routes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.errors import InputError
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.one_step import OneStepConfig


def _by_autograd(z: Tensor, other: Tensor) -> Tensor:
    raise NotImplementedError("stands for what an Activation derives from its apply")


@torch.enable_grad()
def _slope(apply: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    leaf = z.detach().clone().requires_grad_()
    return torch.autograd.grad(apply(leaf).sum(), leaf)[0]  # entries do not mix, so the sum's slope is each one's own


@dataclass(frozen=True)
class Activation:
    """A nonlinearity in the forms that autograd takes and that buffers which are used again take.

    Only ``name``, ``apply`` and ``smooth`` have to be given.

    Attributes:
        name: as in configurations.
        apply: the function of each entry, differentiable by autograd.
        apply_into: ``(z, out)`` writes the values at ``z`` to ``out``; copied from ``apply`` by default.
        derivative_over: ``(z, a)`` overwrites ``z`` with the derivative there, given the values ``a = apply(z)``; by
            default autograd's.
        smooth: whether it is twice continuously differentiable, as the theory asks.
        gate: of an activation that passes its argument on or blocks it, which rounds nothing in any precision:
            ``(gradient, a, out)`` writes the gradient of what was passed on, else 0, to ``out``, in one pass.
    """

    name: str
    apply: Callable[[Tensor], Tensor]
    apply_into: Callable[[Tensor, Tensor], Tensor] = _by_autograd
    derivative_over: Callable[[Tensor, Tensor], Tensor] = _by_autograd
    smooth: bool = False
    gate: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        """Derive what is not given from ``apply``."""
        if self.apply_into is _by_autograd:
            object.__setattr__(self, "apply_into", lambda z, out: out.copy_(self.apply(z)))
        if self.derivative_over is _by_autograd:
            object.__setattr__(self, "derivative_over", lambda z, _a: z.copy_(_slope(self.apply, z)))

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
            gate=lambda gradient, a, out: torch.ops.aten.threshold_backward(gradient, a, 0, grad_input=out),
        ),
        Activation("tanh", torch.tanh, lambda z, out: torch.tanh(z, out=out), _tanh_derivative_over, smooth=True),
        Activation("gelu", F.gelu, derivative_over=_gelu_derivative_over, smooth=True),
        Activation("softplus", _softplus, derivative_over=lambda z, _a: torch.sigmoid(z, out=z), smooth=True),
        Activation(
            "sigmoid", torch.sigmoid, lambda z, out: torch.sigmoid(z, out=out), _sigmoid_derivative_over, smooth=True
        ),
    )
}
"""The nonlinearities by name."""


def activation_of(config: RunConfig | OneStepConfig) -> Activation:
    """Return the nonlinearity that ``config`` names, the package's or the user's."""
    if config.activation in ACTIVATIONS:
        return ACTIVATIONS[config.activation]
    found = config.load("activation")
    if not isinstance(found, Activation):
        raise InputError(f"activation: expected an Activation in {config.activation!r}, got {type(found).__name__}")
    return found
