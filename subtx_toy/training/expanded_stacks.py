"""Stacks of perceptrons replaced by a function of the same parameters that expands each around its own base.

Both have the hand-written backward pass of ``MLPStack``: the gradient of the outputs is pulled back by the Jacobian at
the base for the linearised members, and at the present parameters, without the factor, for the scaled ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.training.mlp_stack import MLPStack


class TangentStack(MLPStack):
    """Members f(base, x) + J(x) (params - base), affine in ``params``; J is the Jacobian at each member's own base.

    The differences from the bases are the moving vector: in float32 they keep the digits that their sum would lose.
    """

    def __init__(self, model: MLP, members: Sequence[Params], bases: Sequence[Params], *, batch_size: int) -> None:
        super().__init__(model, bases, batch_size=batch_size)
        self._move = torch.zeros_like(self.theta)
        self._move_weights, self._move_biases = self._blocks(self._move)
        for member, (params, base) in enumerate(zip(members, bases, strict=True)):
            for layer in range(model.num_layers):
                weight, bias = f"layers.{layer}.weight", f"layers.{layer}.bias"
                self._move_weights[layer][member] = params[weight] - base[weight]
                self._move_biases[layer][member] = params[bias] - base[bias]
        self._dz, self._da = [torch.empty_like(z) for z in self._z], [torch.empty_like(a) for a in self._a]
        self._own_part = [torch.empty_like(dz) for dz in self._dz[1:]]

    @property
    def moving(self) -> Tensor:
        """The differences from the bases, flat."""
        return self._move

    def params(self, member: int) -> Params:
        """Return base plus difference of one member."""
        moved = self._named(self._move_weights, self._move_biases, member)
        return {name: value + moved[name] for name, value in super().params(member).items()}

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n s k"]:
        """Return every member's linearised logits for ``x``, a buffer that the next call overwrites."""
        n, write, activation = len(x), self._products.write, self.model.activation
        logits = super().forward(x)
        dz = self._dz[0][:, :n]
        side = x.new_empty(n, dz.shape[0] * dz.shape[2])  # of all members at once, as in the base's first layer
        write(x, self._move_weights[0].flatten(0, 1).T, side)
        dz.copy_(side.view(n, dz.shape[0], dz.shape[2]).transpose(0, 1))
        dz += self._move_biases[0][:, None]
        for layer in range(1, self.model.num_layers):
            a, da = self._a[layer - 1][:, :n], self._da[layer - 1][:, :n]
            da.copy_(self._z[layer - 1][:, :n])  # the backward pass needs the pre-activations again
            activation.pull_back(dz, a, da)
            dz, own = self._dz[layer][:, :n], self._own_part[layer - 1][:, :n]
            write(da, self._weights[layer].mT, dz)
            write(a, self._move_weights[layer].mT, own)
            dz += own
            dz += self._move_biases[layer][:, None]
        logits += dz.transpose(0, 1)
        return logits


class ScaledStack(MLPStack):
    """Members f(base, x) + scale (f(params, x) - f(base, x)); ``scale`` 1 is the perceptron, infinity its tangent.

    ``backward`` leaves the factor out, so an optimiser has to divide its step size by it: then the outputs move as far
    at every scale, also under optimisers that do not see the gradient's length.

    Reference: Chizat, Oyallon and Bach 2019, arXiv:1812.07956.
    """

    def __init__(
        self, model: MLP, members: Sequence[Params], bases: Sequence[Params], *, scale: float, batch_size: int
    ) -> None:
        super().__init__(model, members, batch_size=batch_size)
        self._base, self._scale = MLPStack(model, bases, batch_size=batch_size), scale

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n s k"]:
        """Return every member's scaled logits for ``x``, a buffer that the next call overwrites."""
        base, logits = self._base.forward(x), super().forward(x)
        return logits.sub_(base).mul_(self._scale).add_(base)
