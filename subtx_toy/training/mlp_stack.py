"""Several MLPs of one shape that read the same inputs, with hand-written forward and backward passes.

The members' first layers are one matrix, so the inputs go through memory once for all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.training.products import Products

# A cache line: every block of the flat vector starts on one, so results do not depend on its neighbours.
_ALIGN_BYTES = 64


class MLPStack:
    """``s`` members with parameters of their own, copied into one flat vector ``theta`` for one optimiser.

    ``gradient`` has the layout of ``theta``; both are written in place, in the members' precision. ``products`` says
    how matrices are multiplied and what hidden layers are kept in. A call takes up to ``batch_size`` inputs.
    """

    def __init__(
        self, model: MLP, members: Sequence[Params], *, batch_size: int, products: Products | None = None
    ) -> None:
        self.model, self.num_members, self.batch_size = model, len(members), batch_size
        self._products = products or Products()
        dtype = members[0]["layers.0.weight"].dtype
        pad = _ALIGN_BYTES // dtype.itemsize
        shapes = []
        for d_in, d_out in itertools.pairwise(model.sizes):
            shapes += [(len(members), d_out, d_in), (len(members), d_out)]
        starts = [0, *itertools.accumulate(-(-int(np.prod(shape)) // pad) * pad for shape in shapes)]
        self._layout = list(zip(starts, shapes, strict=False))
        self.theta = torch.zeros(starts[-1], dtype=dtype)
        self.gradient = torch.zeros_like(self.theta)
        self._weights, self._biases = self._blocks(self.theta)
        self._weight_grads, self._bias_grads = self._blocks(self.gradient)
        for member, params in enumerate(members):
            self.load(member, params)

        # Pre-activations, which their gradients overwrite, and values of the hidden layers: [member, batch, unit].
        num, hidden = len(members), self._products.stored(model.activation, dtype)
        kept = [hidden] * (model.num_layers - 1) + [dtype]
        self._z = [side_by_side(num, batch_size, model.sizes[1], kept[0])]
        for size, precision in zip(model.sizes[2:], kept[1:], strict=True):
            self._z.append(torch.empty(num, batch_size, size, dtype=precision))
        self._a = [torch.empty(num, batch_size, size, dtype=hidden) for size in model.sizes[1:-1]]
        self._below = torch.empty(max((a.numel() for a in self._a), default=0), dtype=hidden)
        self._ones = torch.ones(1, batch_size, dtype=dtype)

    def _blocks(self, flat: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return the weights ``[s, out, in]`` and the biases ``[s, out]`` of each layer in a vector of this layout."""
        parts = [flat[at : at + int(np.prod(shape))].view(shape) for at, shape in self._layout]
        return parts[::2], parts[1::2]

    @property
    def moving(self) -> Tensor:
        """The flat vector that an optimiser changes."""
        return self.theta

    def load(self, member: int, params: Params) -> None:
        """Overwrite the parameters of one member."""
        for layer in range(self.model.num_layers):
            self._weights[layer][member] = params[f"layers.{layer}.weight"]
            self._biases[layer][member] = params[f"layers.{layer}.bias"]

    def params(self, member: int) -> Params:
        """Return a copy of the parameters of one member."""
        return self._named(self._weights, self._biases, member)

    def gradients(self, member: int) -> Params:
        """Return a copy of the gradient that the last ``backward`` left for one member."""
        return self._named(self._weight_grads, self._bias_grads, member)

    def gradient_views(self, member: int) -> Params:
        """Return one member's gradient, in the memory that the optimiser reads."""
        return {
            f"layers.{layer}.{kind}": grads[layer][member]
            for layer in range(self.model.num_layers)
            for kind, grads in (("weight", self._weight_grads), ("bias", self._bias_grads))
        }

    def squared_norms(self, x: Float[Tensor, "n d"], output_gradient: Float[Tensor, "n s k"]) -> Float[Tensor, "s n"]:
        """Return the squared norm of each input's own gradient in each member, after a ``backward`` of the same batch.

        The gradient of an input is an outer product in every layer, so the norm needs no such gradient. Reference:
        Goodfellow 2015, arXiv:1510.01799.
        """
        n = len(x)
        found = output_gradient.transpose(0, 1).square().sum(-1) * (
            self._inputs_squared(x, self.model.num_layers - 1) + 1
        )
        for layer in range(self.model.num_layers - 1):  # backward left the gradients of the hidden layers in _z
            found = found + self._z[layer][:, :n].square().sum(-1) * (self._inputs_squared(x, layer) + 1)
        return found

    def _inputs_squared(self, x: Float[Tensor, "n d"], layer: int) -> Tensor:
        return self._a[layer - 1][:, : len(x)].square().sum(-1) if layer else x.square().sum(-1)[None]

    def _named(self, weights: list[Tensor], biases: list[Tensor], member: int) -> Params:
        named: Params = {}
        for layer in range(self.model.num_layers):
            named[f"layers.{layer}.weight"] = weights[layer][member].clone()
            named[f"layers.{layer}.bias"] = biases[layer][member].clone()
        return named

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n s k"]:
        """Return every member's logits for ``x``, a buffer that the next call overwrites."""
        n, operand, write = len(x), self._products.operand, self._products.write
        # What the products take: the inputs of each layer, and its weights.
        self._inputs = [operand("x", x)]
        self._taken = [operand(f"weights {layer}", weights) for layer, weights in enumerate(self._weights)]
        z = self._z[0][:, :n]  # x W^T, of all members at once
        write(self._inputs[0], self._taken[0].flatten(0, 1).T, z.transpose(0, 1).flatten(1))
        z += self._biases[0][:, None].to(z.dtype)
        for layer in range(1, self.model.num_layers):
            a = self._a[layer - 1][:, :n]
            self.model.activation.apply_into(z, a)
            z = self._z[layer][:, :n]
            self._inputs.append(operand(f"inputs {layer}", a))
            write(self._inputs[layer], self._taken[layer].mT, z)
            z += self._biases[layer][:, None].to(z.dtype)
        return z.transpose(0, 1)

    def backward(self, x: Float[Tensor, "n d"], output_gradient: Float[Tensor, "n s k"]) -> None:
        """Write the gradient of sum_n <output_gradient_n, logits_n> to ``gradient``, using up what ``forward`` left."""
        n, operand, write = len(x), self._products.operand, self._products.write
        grad, ones = output_gradient.transpose(0, 1), operand("ones", self._ones[:, :n])
        for layer in range(self.model.num_layers - 1, 0, -1):
            taken = operand(f"gradient {layer}", grad)
            write(ones.expand(self.num_members, -1, -1), taken, self._bias_grads[layer][:, None])
            write(taken.mT, self._inputs[layer], self._weight_grads[layer])
            a, grad = self._a[layer - 1][:, :n], self._z[layer - 1][:, :n]
            below = self._below[: a.numel()].view(a.shape)
            write(taken, self._taken[layer], below)
            self.model.activation.pull_back(below, a, grad)
        taken = operand("gradient 0", grad.transpose(0, 1)).flatten(1)
        write(ones, taken, self._bias_grads[0].view(1, -1))
        write(taken.T, self._inputs[0], self._weight_grads[0].flatten(0, 1))


def side_by_side(num: int, batch_size: int, size: int, dtype: torch.dtype) -> Float[Tensor, "s n k"]:
    """Return a buffer whose members stand in one row of memory an input, so that one product serves them all."""
    # A cache line beyond each row keeps rows off multiples of 4 KB, which evict each other.
    rows = torch.empty(batch_size, num * size + _ALIGN_BYTES // dtype.itemsize, dtype=dtype)
    return rows[:, : num * size].view(batch_size, num, size).transpose(0, 1)
