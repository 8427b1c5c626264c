"""The optimisers: torch's plain classes, the same updates fused over one flat vector, and the pull to the init."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim.adam import adam  # the first optimiser of torch's classes loads its compiler, two seconds of CPU
from torch.optim.sgd import sgd

from subtx_toy.errors import USER_FAULTS, InputError

Step = Callable[[], None]
OptimizerFactory = Callable[..., object]
"""``factory(parameters, lr=...)`` returns a ``torch.optim.Optimizer``."""


@dataclass(frozen=True)
class OptimizerSettings:
    """Which optimiser, by its key in OPTIMIZERS, or a user's ``factory``, which gets the step size ``lr`` only.

    Weight decay is L2 in adam and sgd, decoupled in adamw, towards ``"zero"`` or the first parameters, ``"init"``.
    """

    name: str = "adam"
    lr: float = 3e-4
    momentum: float = 0.0
    weight_decay: float = 0.0
    decay_towards: str = "zero"
    factory: OptimizerFactory | None = field(default=None, compare=False)

    @property
    def decay_to_zero(self) -> float:
        """The weight decay that is torch's own."""
        return self.weight_decay if self.decay_towards == "zero" else 0.0


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}
"""Torch's classes by name; Adam and AdamW have betas (.9, .999) and eps 1e-8."""


def make_optimizer(settings: OptimizerSettings, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    """Return torch's optimiser of ``parameters``, or the user's."""
    parameters = list(parameters)
    if settings.factory is not None:
        return _own(settings.factory, parameters, settings)
    more = {"momentum": settings.momentum} if settings.name == "sgd" else {}
    optimizer = OPTIMIZERS[settings.name](parameters, lr=settings.lr, weight_decay=settings.decay_to_zero, **more)
    pull = _pull_towards_start(settings, parameters)
    if pull is not None:
        optimizer.register_step_pre_hook(lambda *_arguments: pull())
    return optimizer


def fused_step(settings: OptimizerSettings, theta: Tensor) -> Step:
    """Return what takes one step of a flat vector along its ``grad``, in place: torch's ``fused=True``, bit for bit."""
    assert settings.name in OPTIMIZERS, "a user's optimiser is not fused"
    pull = _pull_towards_start(settings, [theta])
    means, squares, num_steps = torch.zeros_like(theta), torch.zeros_like(theta), torch.zeros(())
    velocity: list[Tensor | None] = [None]

    @torch.no_grad()
    def step() -> None:
        if pull is not None:
            pull()
        assert theta.grad is not None, "a gradient has to be there"
        if settings.name == "sgd":
            sgd(
                [theta], [theta.grad], velocity, fused=True, lr=settings.lr, momentum=settings.momentum,
                weight_decay=settings.decay_to_zero, dampening=0.0, nesterov=False, maximize=False,
            )  # fmt: skip
        else:
            adam(
                [theta], [theta.grad], [means], [squares], [], [num_steps], fused=True, lr=settings.lr,
                beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=settings.decay_to_zero,
                decoupled_weight_decay=settings.name == "adamw", amsgrad=False, maximize=False,
            )  # fmt: skip

    return step


def _own(factory: OptimizerFactory, parameters: list[Tensor], settings: OptimizerSettings) -> torch.optim.Optimizer:
    try:
        made = factory(parameters, lr=settings.lr)
    except USER_FAULTS as error:
        raise InputError(f"optimizer: {settings.name}: {type(error).__name__}: {error}") from error
    if not isinstance(made, torch.optim.Optimizer):
        raise InputError(f"optimizer: {settings.name}: expected a torch.optim.Optimizer, got {type(made).__name__}")
    return made


def _pull_towards_start(settings: OptimizerSettings, parameters: Sequence[Tensor]) -> Step | None:
    """Return what pulls ``parameters`` as torch's weight decay would, were their present values the origin."""
    if settings.weight_decay == 0 or settings.decay_towards != "init":
        return None
    starts = [(parameter, parameter.detach().clone()) for parameter in parameters]

    @torch.no_grad()
    def pull() -> None:
        for parameter, start in starts:
            if settings.name == "adamw":
                parameter.lerp_(start, settings.lr * settings.weight_decay)
            elif parameter.grad is not None:
                parameter.grad.add_(parameter - start, alpha=settings.weight_decay)

    return pull
