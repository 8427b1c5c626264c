"""Several MLPs of one shape that read the same inputs, with hand-written forward and backward passes.

The members' first layers are one matrix, so the inputs go through memory once for all of them; all buffers are
allocated once. One call of ``backward`` is autograd's gradient of the members' losses, compared with it in the
tests step by step.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.models import MLP
from subtx_toy.params import Params
from subtx_toy.training.products import Products

# A cache line: every block of the flat vector starts on one, so results do not depend on its neighbours.
_ALIGN_BYTES = 64


class MLPStack:
    """``s`` members with parameters of their own, stored in one flat vector ``theta`` for one optimiser.

    Args:
        model: the members' shape.
        members: their parameters, copied.
        batch_size: the most inputs a call may bring.
        products: how matrices are multiplied; biases, activations and everything else have the parameters' precision.

    Attributes:
        theta: all parameters; ``gradient`` has the same layout. Both are written in place.
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
        self.theta = torch.zeros(starts[-1], dtype=dtype)
        self.gradient = torch.zeros_like(self.theta)

        def blocks(flat: Tensor) -> list[Tensor]:
            return [flat[at : at + int(np.prod(shape))].view(shape) for at, shape in zip(starts, shapes, strict=False)]

        self._weights, self._biases = blocks(self.theta)[::2], blocks(self.theta)[1::2]
        self._weight_grads, self._bias_grads = blocks(self.gradient)[::2], blocks(self.gradient)[1::2]
        for member, params in enumerate(members):
            self.load(member, params)

        # Pre-activations and, of the hidden layers, values and the gradients in them: [batch, member, unit].
        def buffers(sizes: Sequence[int]) -> list[Tensor]:
            # A cache line beyond each row keeps rows off multiples of 4 KB, which evict each other: 3 % of a step.
            rows = [torch.empty(batch_size, len(members) * size + pad, dtype=dtype) for size in sizes]
            return [row[:, :-pad].view(batch_size, len(members), -1) for row in rows]

        self._z, self._a, self._grads = (
            buffers(model.sizes[start:stop]) for start, stop in ((1, None), (1, -1), (1, -1))
        )

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
        first = self._z[0][:n]
        write(self._inputs[0], self._taken[0].flatten(0, 1).T, first.flatten(1))  # x -> x W^T, all members at once
        first += self._biases[0]
        for layer in range(1, self.model.num_layers):
            a, z = self._a[layer - 1][:n], self._z[layer][:n]
            self.model.activation.apply_into(self._z[layer - 1][:n], a)
            self._inputs.append(operand(f"inputs {layer}", a))
            for member in range(self.num_members):
                write(self._inputs[layer][:, member], self._taken[layer][member].T, z[:, member])
            z += self._biases[layer]
        return self._z[-1][:n]

    def backward(self, x: Float[Tensor, "n d"], output_gradient: Float[Tensor, "n s k"]) -> None:
        """Write the gradient of sum_n <output_gradient_n, logits_n> to ``gradient``; divide by n beforehand.

        Call it after ``forward`` on the same ``x``; it uses up what that call left.
        """
        n, grad, operand, write = len(x), output_gradient, self._products.operand, self._products.write
        for layer in range(self.model.num_layers - 1, 0, -1):
            a, below = self._a[layer - 1][:n], self._grads[layer - 1][:n]
            torch.sum(grad, 0, out=self._bias_grads[layer])
            taken = operand(f"gradient {layer}", grad)
            for member in range(self.num_members):
                write(taken[:, member].T, self._inputs[layer][:, member], self._weight_grads[layer][member])
                write(taken[:, member], self._taken[layer][member], below[:, member])
            grad = below.mul_(self.model.activation.derivative_over(self._z[layer - 1][:n], a))
        torch.sum(grad, 0, out=self._bias_grads[0])
        write(operand("gradient 0", grad).flatten(1).T, self._inputs[0], self._weight_grads[0].flatten(0, 1))
