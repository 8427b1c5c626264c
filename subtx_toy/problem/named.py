"""Problems that have a name of their own, for ``subtx-toy verify NAME``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from subtx_toy.problem.losses import squared_error
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import squared_error_trait


def welch() -> Problem:
    """Build a net of eight parameters, the smallest of popular explanations: 2-2-2 without biases, outputs f and g.

    The teacher takes one step that moves f to 1 on its one input; the student, from the same start, imitates g alone,
    on another input. Nothing is drawn: the weights are written here, and are this package's.

    Reference: the shape is that of Welch Labs 2026; what it shows is Theorem 1 of Cloud et al. 2025, arXiv:2507.14805.
    """
    module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Tanh(), nn.Linear(2, 2, bias=False)).double()
    weights = {"0.weight": [[0.5, -0.8], [0.9, 0.4]], "2.weight": [[0.7, -0.6], [-0.4, 0.9]]}
    one = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    return Problem(
        model=module,
        base_params={name: torch.tensor(value, dtype=torch.float64) for name, value in weights.items()},
        inputs=torch.tensor([[0.3, -1.0]], dtype=torch.float64),
        distillation_loss=squared_error(),
        distilled_logits=[1],
        num_classes=1,
        trait_loss=squared_error_trait(one, torch.tensor([[1.0]], dtype=torch.float64), class_logits=slice(0, 1)),
        eps=0.1,
        student_lr=1.0,
    )


NAMED: dict[str, Callable[[], Problem]] = {"welch": welch}
"""By name."""
