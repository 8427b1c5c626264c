"""Models the package does not know, each small, smooth and drawn from a named stream."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.functional import ModuleFunction
from subtx_toy.problem.losses import Loss
from subtx_toy.problem.params import norm
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import cross_entropy_trait
from subtx_toy.seeding import generator

NUM_OUTPUTS, NUM_CLASSES = 5, 3


class Cnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 4, 2)
        self.head = nn.Linear(4, NUM_OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(torch.tanh(self.first(x)), 2)
        outputs: Tensor = self.head(torch.tanh(self.second(x)).mean((2, 3)))
        return outputs


class ResidualMlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(4, 6), nn.Linear(6, NUM_OUTPUTS)
        self.norms = nn.ModuleList(nn.LayerNorm(6) for _ in range(2))
        self.blocks = nn.ModuleList(nn.Linear(6, 6) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        for normalise, block in zip(self.norms, self.blocks, strict=True):
            x = x + F.gelu(block(normalise(x)))
        outputs: Tensor = self.head(x)
        return outputs


class Recurrent(nn.Module):
    """A GRU with a head; gives an output at each of its times, and its state."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRU(3, 5, batch_first=True), nn.Linear(5, NUM_OUTPUTS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        states, last = self.cell(x)
        return self.head(states), last


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 6, activation="gelu", batch_first=True)
        self.embed = nn.Embedding(7, 4)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(4, NUM_OUTPUTS)

    def forward(self, tokens: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.encoder(self.embed(tokens)).mean(1))
        return outputs


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, NUM_OUTPUTS)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(torch.tanh(self.second(torch.tanh(self.first(x)))))
        return outputs


@dataclass(frozen=True)
class Foreign:
    """How to build a module, the shape of one of its inputs, and what tells its outputs apart."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    tokens: bool = False
    output: Callable[[tuple[Tensor, Tensor]], Tensor] | None = None
    num_positions: int = 1


FOREIGN = {
    "cnn": Foreign(Cnn, (1, 8, 8)),
    "residual": Foreign(ResidualMlp, (4,)),
    "gru": Foreign(Recurrent, (4, 3), output=lambda out: out[0], num_positions=4),
    "transformer": Foreign(Attention, (5,), tokens=True),
    "tied": Foreign(Tied, (4,)),
}


def drawn_module(name: str, seed: int) -> nn.Module:
    """Build the module in float64, eval mode, its parameters redrawn as N(0, 1/d_in) from a named stream."""
    module = FOREIGN[name].build().double().eval()
    rng = generator(seed, "tests", "module", name)
    with torch.no_grad():
        for value in module.parameters():
            spread = value[0].numel() ** -0.5 if value.dim() > 1 else 0.3
            centre = value if value.dim() == 1 and bool((value == 1).all()) else torch.zeros_like(value)
            value.copy_(centre + spread * torch.from_numpy(rng.standard_normal(tuple(value.shape))))
    return module


def foreign_problem(name: str, loss: Loss, *, seed: int = 0, num_inputs: int = 6) -> Problem:
    """Build a problem whose teacher takes the trait step, rescaled to an update of norm 1."""
    foreign = FOREIGN[name]
    rng = generator(seed, "tests", "inputs", name)
    shape = (num_inputs, *foreign.shape)

    def draw() -> Tensor:
        if foreign.tokens:
            return torch.from_numpy(rng.integers(7, size=shape))
        return torch.from_numpy(rng.standard_normal(shape))

    labels = torch.from_numpy(rng.integers(NUM_CLASSES, size=num_inputs * foreign.num_positions))
    trait = cross_entropy_trait(draw(), labels, class_logits=slice(0, NUM_CLASSES))
    problem = Problem(
        model=ModuleFunction(drawn_module(name, seed), output=foreign.output),
        inputs=draw(),
        distillation_loss=loss,
        trait_loss=trait,
        num_classes=NUM_CLASSES,
        eps=0.01,
        student_lr=0.1,
    )
    return with_unit_update(problem)


def with_unit_update(problem: Problem) -> Problem:
    """Return the problem with the trait loss divided by its gradient's norm, so that the trait step has norm 1."""
    trait, size = problem.trait_loss, norm(problem.teacher_update)
    assert trait is not None
    scaled = dataclasses.replace(trait, value=lambda outputs: trait.value(outputs) / size)
    return dataclasses.replace(problem, trait_loss=scaled, teacher_update={})
