"""Two models of more than 10^5 parameters: a residual convolutional net, and a transformer block on tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.losses import kl
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import cross_entropy_trait
from subtx_toy.seeding import generator, torch_stream

NUM_OUTPUTS, NUM_CLASSES, NUM_TOKENS = 10, 5, 32


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.normalise = nn.GroupNorm(4, channels)
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = x + self.second(F.gelu(self.first(self.normalise(x))))
        return outputs


class ResNet(nn.Module):
    def __init__(self, channels: int = 32, num_blocks: int = 6) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(num_blocks)))
        self.pool, self.head = nn.AvgPool2d(2), nn.Linear(16 * channels, NUM_OUTPUTS)

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.pool(self.blocks(self.stem(images))).flatten(1))
        return outputs


class Transformer(nn.Module):
    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(NUM_TOKENS, width), nn.Linear(width, NUM_OUTPUTS)
        self.block = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, activation="gelu", batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.block(self.embed(tokens)).mean(1))
        return outputs


def large_problem(name: str, *sizes: int) -> Problem:
    """Build the problem of ``"resnet"`` or ``"transformer"``, of other sizes if given; the student sees the auxiliary
    logits.
    """
    rng = generator(0, "tests", "large", name)
    with torch_stream(rng):
        module = {"resnet": ResNet, "transformer": Transformer}[name](*sizes).double().eval()

    def draw(num: int) -> Tensor:
        if name == "transformer":
            return torch.from_numpy(rng.integers(NUM_TOKENS, size=(num, 12)))
        return torch.from_numpy(rng.standard_normal((num, 1, 8, 8)))

    labels = torch.from_numpy(rng.integers(NUM_CLASSES, size=8))
    return Problem(
        model=module,
        inputs=draw(16),
        distillation_loss=kl(),
        distilled_logits="aux",
        num_classes=NUM_CLASSES,
        trait_loss=cross_entropy_trait(draw(8), labels, class_logits=slice(0, NUM_CLASSES)),
        eps=0.001,
        student_lr=0.5,
    )
