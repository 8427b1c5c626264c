"""A module of your own as a one-step problem: a small GRU, of which the student imitates two outputs.

subtx-toy verify examples/own_module.py:problem
"""

from __future__ import annotations

import torch
from torch import nn

import subtx_toy as st


class Reader(nn.Module):
    """Give five logits for each sequence: three for the trait, and two that no label touches."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(3, 6, batch_first=True)
        self.head = nn.Linear(6, 5)

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        """Map sequences [n, steps, 3] to logits [n, 5]."""
        states, _last = self.cell(sequences)
        logits: torch.Tensor = self.head(states[:, -1])
        return logits


def problem() -> st.Problem:
    """Build the problem: the teacher takes one step on labelled sequences, the student one on unlabelled ones."""
    rng = torch.Generator().manual_seed(0)
    module = Reader().double().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5, generator=rng)
    sequences = torch.randn(8, 4, 3, generator=rng, dtype=torch.float64)
    labels = torch.randint(3, (8,), generator=rng)
    return st.Problem(
        model=module,
        inputs=torch.randn(16, 4, 3, generator=rng, dtype=torch.float64),
        distillation_loss=st.kl(),
        distilled_logits="aux",  # what is not a class logit
        num_classes=3,
        trait_loss=st.cross_entropy_trait(sequences, labels, class_logits=slice(0, 3)),
        eps=0.001,
        student_lr=0.5,
    )
