"""The optimisers: torch's updates of some parameters, or fused over one flat vector, and the pull to the init."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from subtx_toy.errors import USER_FAULTS, InputError
from subtx_toy.settings.named import MOMENTUM_OPTIMIZERS

Step = Callable[[], None]
OptimizerFactory = Callable[..., object]
"""``factory(parameters, lr=...)`` returns a ``torch.optim.Optimizer``."""


@dataclass(frozen=True)
class OptimizerSettings:
    """Which optimiser, by its name in OPTIMIZER_NAMES, or a user's ``factory``, which gets the step size ``lr`` only.

    Weight decay is decoupled in adamw and L2 in the others, towards ``"zero"`` or the first parameters, ``"init"``.
    ``momentum`` is of sgd (heavy ball) and of nesterov, which needs one. Adam and AdamW have betas (.9, .999), RMSprop
    has alpha .99, and all three eps 1e-8. ``sign`` moves every weight by ``lr`` against the sign of its gradient
    (Bernstein et al. 2018, arXiv:1802.04434, without momentum).
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


def fused_step(settings: OptimizerSettings, theta: Tensor) -> Step:
    """Return what takes one step of a flat vector along its ``grad``, in place.

    Bit for bit torch's ``fused=True`` where torch has it, its plain update elsewhere.
    """
    return _step(settings, theta, fused=True)


def plain_step(settings: OptimizerSettings, parameters: Iterable[Tensor]) -> Step:
    """Return what takes one step of every parameter that has a ``grad``, in place, bit for bit as torch's classes do.

    The first of those classes loads torch's compiler, which takes seconds of CPU. A user's optimiser may be one.
    """
    parameters = list(parameters)
    if settings.factory is not None:
        optimizer = _own(settings.factory, parameters, settings)
        return lambda: optimizer.step()
    steps = [(parameter, _step(settings, parameter, fused=False)) for parameter in parameters]

    def step() -> None:
        for parameter, one in steps:
            if parameter.grad is not None:
                one()

    return step


def _step(settings: OptimizerSettings, theta: Tensor, *, fused: bool) -> Step:
    assert settings.factory is None, "a user's optimiser takes its own steps"
    pull = _pull_towards_start(settings, [theta])
    means, squares, num_steps = torch.zeros_like(theta), torch.zeros_like(theta), torch.zeros(())
    velocity: list[Tensor | None] = [None]

    @torch.no_grad()
    def step() -> None:
        if pull is not None:
            pull()
        assert theta.grad is not None, "a gradient has to be there"
        if settings.name in MOMENTUM_OPTIMIZERS:
            sgd(
                [theta], [theta.grad], velocity, fused=fused, foreach=False, lr=settings.lr, momentum=settings.momentum,
                weight_decay=settings.decay_to_zero, dampening=0.0, nesterov=settings.name == "nesterov",
                maximize=False,
            )  # fmt: skip
        elif settings.name == "rmsprop":
            rmsprop(
                [theta], [theta.grad], [squares], [], [], [num_steps], foreach=False, lr=settings.lr, alpha=0.99,
                eps=1e-8, weight_decay=settings.decay_to_zero, momentum=0.0, centered=False,
            )  # fmt: skip
        elif settings.name == "sign":
            _sign_step(theta, theta.grad, lr=settings.lr, weight_decay=settings.decay_to_zero)
        elif settings.name in ("adam", "adamw"):
            adam(
                [theta], [theta.grad], [means], [squares], [], [num_steps], fused=fused, foreach=False,
                lr=settings.lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=settings.decay_to_zero,
                decoupled_weight_decay=settings.name == "adamw", amsgrad=False, maximize=False,
            )  # fmt: skip
        else:
            raise NotImplementedError(f"optimizer: {settings.name!r} has no step")

    return step


def _sign_step(theta: Tensor, gradient: Tensor, *, lr: float, weight_decay: float) -> None:
    if weight_decay:
        gradient = gradient.add(theta, alpha=weight_decay)
    theta.sub_(gradient.sign(), alpha=lr)


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
