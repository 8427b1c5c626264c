# ruff: noqa: ARG004, the arguments that torch hands over
"""Modules and functions, each with what is true of it: smooth with autograd's derivatives, kinked, or cut.

What is said here is by what the operations are: compositions of analytic functions are smooth; max(0, x) and its like
are not; a detached branch has another derivative than its outputs. ``truth`` decides the claims at 200 bits.
Norms and distances have a kink at zero, and a far clamp one far away, where no problem of the corpus comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.losses import Loss, kl, squared_error
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import cross_entropy_trait
from subtx_toy.seeding import generator, torch_stream

Truth = Literal["smooth", "kinked", "cut", "cancels", "huge"]


@dataclass(frozen=True)
class Case:
    """A module's problem, and what is true of the module."""

    build: Callable[[], Problem]
    truth: Truth


class Net(nn.Module):
    """Two layers with a function between them."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.between, self.second = nn.Linear(4, 6), between, nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Any:
        return self.second(self.between(self.first(x)))


class Recurrent(nn.Module):
    def __init__(self, kind: Callable[..., nn.RNNBase]) -> None:
        super().__init__()
        self.cell, self.head = kind(2, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.cell(x.view(len(x), 2, 2))[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.attend, self.head = (
            nn.Linear(2, 4),
            nn.MultiheadAttention(4, 2, batch_first=True),
            nn.Linear(4, 3),
        )

    def forward(self, x: Tensor) -> Any:
        z = self.embed(x.view(len(x), 2, 2))
        return self.head(self.attend(z, z, z, need_weights=False)[0].mean(1))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.map, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Any:
        return self.head(torch.tanh(self.map(torch.tanh(self.map(x)))))


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.tanh(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g


class Own(Straight):
    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return g * (1 - y * y)


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(4, 3)
        self.calls: Tensor
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Any:
        self.calls.add_(1)
        return torch.tanh(self.map(x))


class Bags(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag, self.head = nn.EmbeddingBag(7, 4, mode="sum"), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Any:
        return self.head(torch.tanh(self.bag((x.abs() * 3).long().clamp(max=6))))


class Distances(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.centres, self.head = nn.Parameter(torch.randn(5, 4)), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Any:
        return self.head(torch.exp(-torch.cdist(x, self.centres) / 2))


def _normed(parametrize: Callable[[nn.Module], nn.Module]) -> nn.Module:
    return nn.Sequential(parametrize(nn.Linear(4, 6)), nn.Tanh(), nn.Linear(6, 3))


def problem_of(module: Callable[[], nn.Module], centre: float = 0.0, loss: Loss | None = None) -> Problem:
    """Return a problem of a module of four inputs and three outputs, drawn around a centre."""
    with torch_stream(generator(3, "tests", "verdicts")):
        model = module().double().eval()
        x, trait = centre + torch.randn(12, 4).double(), centre + torch.randn(6, 4).double()
        labels = torch.randint(3, (6,))
    return Problem(
        model=model,
        inputs=x,
        distillation_loss=squared_error() if loss is None else loss,
        trait_loss=cross_entropy_trait(trait, labels),
        eps=0.01,
        student_lr=0.1,
    )


def _at(module: Callable[[], nn.Module], centre: float = 0.0, loss: Loss | None = None) -> Callable[[], Problem]:
    return lambda: problem_of(module, centre, loss)


def _between(function: Callable[[Tensor], Tensor]) -> Callable[[], Problem]:
    return _at(lambda: Net(function))


SMOOTH: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh, "gelu": F.gelu, "gelu tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu,
    "mish": F.mish, "softplus": F.softplus, "sigmoid": torch.sigmoid, "logsigmoid": F.logsigmoid, "sin": torch.sin,
    "exp": lambda x: torch.exp(x / 2), "square": torch.square, "erf": torch.erf, "atan": torch.atan,
    "rsqrt": lambda x: (x * x + 0.1).rsqrt(), "sqrt": lambda x: (x * x + 1).sqrt(), "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(-1), "layer_norm": lambda x: F.layer_norm(x, (6,)),
    "group_norm": lambda x: F.group_norm(x, 2), "normalize": lambda x: F.normalize(x, dim=-1),
    "where of one function": lambda x: torch.where(x > 0, torch.tanh(x), torch.tanh(x) * 1.0),
    "log cosh by abs": lambda x: x.abs() + F.softplus(-2 * x.abs()), "clamp far away": lambda x: x.clamp(-1e6, 1e6),
    "stable softmax": lambda x: (e := (x - x.amax(-1, keepdim=True)).exp()) / e.sum(-1, keepdim=True),
    "cube of abs": lambda x: x.abs() ** 3, "cube of clamp": lambda x: x.clamp(min=0) ** 3,
    "glu": lambda x: torch.cat([F.glu(x, -1)] * 2, -1),
    "cumsum": lambda x: torch.tanh(x.cumsum(-1)), "avg_pool": lambda x: F.avg_pool1d(x[None], 3, 1, 1)[0].tanh(),
    "outer": lambda x: torch.einsum("ni,nj->nij", x, x).mean(-1), "own function": Own.apply,
    "detached constant": lambda x: torch.tanh(x) + torch.ones_like(x).detach(), "linear": lambda x: x,
    "sum of squares in the mean": lambda x: x - x.mean(-1, keepdim=True), "polynomial": lambda x: x + 0.1 * x**3,
    "dropout in eval": lambda x: F.dropout(torch.tanh(x), 0.5, training=False),
    "roll": lambda x: torch.tanh(x).roll(1, -1),
}  # fmt: skip
KINKED: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu, "nn.ReLU": nn.ReLU(), "leaky_relu": F.leaky_relu, "elu": F.elu, "selu": F.selu, "celu": F.celu,
    "hardtanh": F.hardtanh, "hardswish": F.hardswish, "hardsigmoid": F.hardsigmoid, "softshrink": F.softshrink,
    "relu6": F.relu6, "abs": torch.abs, "softsign": F.softsign, "relu by where": lambda x: torch.where(x > 0, x, 0 * x),
    "relu by a mask": lambda x: x * (x > 0), "relu by clamp": lambda x: x.clamp(min=0),
    "clamp": lambda x: x.clamp(-1, 1),
    "maximum": lambda x: torch.maximum(x, 0.1 * x), "sort": lambda x: x.sort(-1).values,
    "x abs(x)": lambda x: x * x.abs(),
    "relu by abs": lambda x: (x + x.abs()) / 2, "max_pool": lambda x: F.max_pool1d(x[None], 3, 1, 1)[0],
    "l1 norm": lambda x: x / (1 + x.norm(p=1, dim=-1, keepdim=True)),
    "branches": lambda x: torch.where(x > 0.2, x**2, x.sin()),
    "max": lambda x: x + x.amax(-1, keepdim=True), "median": lambda x: x - x.median(-1, keepdim=True).values,
    "Python's if": lambda x: torch.tanh(x) if x.sum().item() > 0 else torch.sin(x), "prelu": nn.PReLU(),
}  # fmt: skip
CUT: dict[str, Callable[[Tensor], Tensor]] = {
    "detached branch": lambda x: torch.tanh(x) + x.detach(),
    "detached factor": lambda x: torch.tanh(x) * x.detach().sigmoid(),
    "straight through": Straight.apply, "rounded straight through": lambda x: x + (torch.round(8 * x) / 8 - x).detach(),
    "detached norm": lambda x: x / x.norm(dim=-1, keepdim=True).detach(),
    "hidden in numpy": lambda x: x + torch.from_numpy(x.detach().numpy() ** 2),
}  # fmt: skip
WHOLE: dict[str, Callable[[], nn.Module]] = {
    "GRU": lambda: Recurrent(nn.GRU), "LSTM": lambda: Recurrent(nn.LSTM), "RNN": lambda: Recurrent(nn.RNN),
    "attention": Attention, "tied": Tied, "EmbeddingBag": Bags, "cdist": Distances, "counts its calls": Counter,
    "weight_norm": lambda: _normed(nn.utils.parametrizations.weight_norm),
    "spectral_norm": lambda: _normed(nn.utils.parametrizations.spectral_norm),
    "BatchNorm in eval": lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 3, 2), nn.Flatten(), nn.Tanh(), nn.Linear(3, 3)
    ),
    "unused ReLU": lambda: nn.Sequential(nn.Linear(4, 3), nn.Sequential()),
}  # fmt: skip

MODULES: dict[str, Case] = (
    {name: Case(_between(function), "smooth") for name, function in SMOOTH.items()}
    | {name: Case(_between(function), "kinked") for name, function in KINKED.items()}
    | {name: Case(_between(function), "cut") for name, function in CUT.items()}
    | {name: Case(_at(module), "smooth") for name, module in WHOLE.items()}
    | {
        f"LayerNorm at {centre:g}": Case(
            _at(lambda: nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)), centre), "cancels"
        )
        for centre in (1e4, 1e6, 1.7e9, 1e12)
    }
    | {
        "1e9 + Wx - 1e9": Case(_between(lambda x: (1e9 + torch.tanh(x)) - 1e9), "cancels"),
        "outputs of 1e150": Case(_between(lambda x: 1e150 * torch.tanh(x)), "huge"),
        "kl at 1e8": Case(_at(lambda: Net(torch.tanh), loss=kl(1e8)), "cancels"),
    }
)
"""By name."""
