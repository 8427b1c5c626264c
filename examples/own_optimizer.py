"""An optimiser that torch does not have: SGD along the sign of the gradient.

subtx-toy run tiny optimizer=examples/own_optimizer.py:sign_descent lr=1e-3
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class SignDescent(torch.optim.Optimizer):
    """Every entry moves by ``lr`` against the sign of its gradient."""

    def __init__(self, parameters: Iterable[Tensor], *, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step."""
        del closure
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.sub_(group["lr"] * parameter.grad.sign())


def sign_descent(parameters: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
    """Make the optimiser of one net; the protocol gives its own step size."""
    return SignDescent(parameters, lr=lr)
