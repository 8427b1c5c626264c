"""Small chains of every kind of layer, drawn, and their problems."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from subtx_toy.problem.losses import kl, squared_error
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator, torch_stream


def _convolution() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 4)
    )


def _groups() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, (2, 1), dilation=(2, 1), groups=2, bias=False), nn.Softplus(), nn.LayerNorm([4, 2, 3]),
        nn.Flatten(), nn.Linear(24, 3),
    )  # fmt: skip


def _norm() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 4))


def _bare() -> nn.Module:
    return nn.Sequential(
        nn.LayerNorm(4, elementwise_affine=False), nn.Linear(4, 5, bias=False), nn.Sigmoid(), nn.Linear(5, 3),
        nn.LayerNorm(3, eps=0.1, bias=False),
    )  # fmt: skip


def _kinks() -> nn.Module:
    return nn.Sequential(
        nn.AvgPool2d(3, stride=2, padding=1), nn.Conv2d(1, 2, 2, padding="same", dilation=2), nn.LayerNorm(2),
        nn.ReLU(), nn.Flatten(), nn.Linear(12, 3),
    )  # fmt: skip


def _tokens() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Sequential(nn.LayerNorm(4), nn.Flatten()), nn.Linear(8, 3))


CHAINS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "convolution": (_convolution, (1, 8, 8)),
    "groups": (_groups, (2, 4, 3)),
    "norm": (_norm, (3,)),
    "bare": (_bare, (4,)),
    "kinks": (_kinks, (1, 5, 4)),
    "tokens": (_tokens, (2, 3)),
}
"""By name: what makes the module, and the shape of one input."""


def chain_problem(name: str, seed: int = 0, *, num_inputs: int = 2, **changes: Any) -> Problem:
    """Draw a problem of one of the chains, in float64."""
    make, shape = CHAINS[name]
    rng = generator(seed, "tests", "chains", name)
    with torch_stream(rng):
        module = make().double()
        update = {key: 0.3 * torch.randn_like(value) for key, value in module.named_parameters()}
        for value in module.parameters():
            value.data += 0.1 * torch.randn_like(value)
        inputs = torch.randn(num_inputs, *shape, dtype=torch.float64)
    fields: dict[str, Any] = {
        "model": module, "inputs": inputs, "teacher_update": update, "eps": 0.1, "student_lr": 0.1,
        "distillation_loss": kl(1.5) if seed % 2 == 0 else squared_error(),
    }  # fmt: skip
    return Problem(**fields | changes)
