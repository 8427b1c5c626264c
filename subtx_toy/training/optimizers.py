"""The optimisers of the protocol, torch's own, and weight decay towards the initialisation."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from subtx_toy.config import RunConfig


def make_optimizer(config: RunConfig, parameters: Iterable[Tensor], *, fused: bool) -> torch.optim.Optimizer:
    """Return the optimiser that ``config`` names: Adam with betas (.9, .999) and eps 1e-8, AdamW, or SGD.

    Weight decay pulls towards zero, or towards where the parameters stand now. ``fused`` updates in one pass over
    the memory: .8 ms against 2.8 ms for the students of the reference protocol.
    """
    parameters = list(parameters)
    towards_init = config.weight_decay > 0 and config.decay_towards == "init"
    decay = 0.0 if towards_init else config.weight_decay
    optimizer: torch.optim.Optimizer
    if config.optimizer == "adam":
        optimizer = torch.optim.Adam(parameters, lr=config.lr, weight_decay=decay, fused=fused)
    elif config.optimizer == "adamw":
        optimizer = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=decay, fused=fused)
    else:
        optimizer = torch.optim.SGD(parameters, lr=config.lr, momentum=config.momentum, weight_decay=decay, fused=fused)
    if towards_init:
        _decay_towards_start(optimizer, config, parameters)
    return optimizer


def _decay_towards_start(optimizer: torch.optim.Optimizer, config: RunConfig, parameters: list[Tensor]) -> None:
    """Pull ``parameters`` before every step as torch's weight decay would, were their present values the origin."""
    starts = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def pull(*_arguments: object) -> None:
        for parameter, start in zip(parameters, starts, strict=True):
            if config.optimizer == "adamw":
                parameter.lerp_(start, config.lr * config.weight_decay)
            elif parameter.grad is not None:
                parameter.grad.add_(parameter - start, alpha=config.weight_decay)

    optimizer.register_step_pre_hook(pull)
