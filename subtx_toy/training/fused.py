"""Torch's fused updates of one flat vector, one pass over its memory.

They are called through their functional interface: the first optimiser of the classes in ``torch.optim`` loads torch's
compiler, two seconds of CPU that every process would pay again.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from subtx_toy.settings.distillation import OptimizerName


class FusedOptimizer:
    """Adam with betas (.9, .999) and eps 1e-8, AdamW, or SGD, as the classes of ``torch.optim`` with ``fused=True``.

    Args:
        theta: updated in place by ``step``, along its ``grad``.
        name: of the optimiser.
        lr: step size.
        weight_decay: towards zero.
        momentum: of SGD.
        pull: called before every step; may change the gradient, or the parameters.
    """

    def __init__(
        self,
        theta: Tensor,
        name: OptimizerName,
        *,
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        pull: Callable[[], None] | None = None,
    ) -> None:
        self._theta, self._name, self._lr = theta, name, lr
        self._weight_decay, self._momentum, self._pull = weight_decay, momentum, pull
        self._moments = [] if name == "sgd" else [torch.zeros_like(theta) for _ in range(2)]
        self._num_steps = torch.zeros(())
        self._velocity: list[Tensor | None] = [None]

    @torch.no_grad()
    def step(self) -> None:
        """Take one step."""
        assert self._theta.grad is not None, "a gradient has to be there"
        if self._pull is not None:
            self._pull()
        parameters, gradients = [self._theta], [self._theta.grad]
        if self._name == "sgd":
            sgd(
                parameters, gradients, self._velocity, fused=True, lr=self._lr, momentum=self._momentum,
                weight_decay=self._weight_decay, dampening=0.0, nesterov=False, maximize=False,
            )  # fmt: skip
            return
        means, squares = self._moments
        adam(
            parameters, gradients, [means], [squares], [], [self._num_steps], fused=True, lr=self._lr,
            beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=self._weight_decay,
            decoupled_weight_decay=self._name == "adamw", amsgrad=False, maximize=False,
        )  # fmt: skip
