"""Trainers of the models in which a run is lazy by definition, or by degrees.

A linearised model answers f(base, x) + J(x) (params - base). A model of output scale a answers f0 + a (f - f0), where
f0 is the model at its base, by steps of size lr / a along 1 / a of its gradient: for plain descent that is lr / a^2.
a = 1 is the model itself, and as a grows its training becomes that of the linearised one (Chizat, Oyallon and Bach
2019, arXiv:1812.07956). Both train on the same batches and with the same optimisers as every other trainer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.training.expanded_stacks import ScaledStack, TangentStack
from subtx_toy.training.trainers import Setup, StackTrainer


class LinearizedTrainer(StackTrainer):
    """Trains the first-order expansion of every member around its base; ``params`` are base plus difference.

    ``bases`` are the members' own parameters unless others are given. A teacher that is trained already and is looked
    at again has the base it was trained around, not the parameters it has now.
    """

    def __init__(
        self,
        setup: Setup,
        members: Sequence[Params],
        loss: Loss,
        outputs: Sequence[str],
        *,
        bases: Sequence[Params] | None = None,
    ) -> None:
        stack = TangentStack(_perceptron(setup), members, bases or members, batch_size=setup.num_rows)
        super().__init__(setup, members, loss, outputs, stack=stack)


class ScaledOutputTrainer(StackTrainer):
    """Trains f0 + scale (f - f0) by steps of lr / scale along the loss's output gradient times the Jacobian of f.

    With the gradient of the scaled function itself, ``scale`` times as long, Adam's eps and every clipping would have
    another meaning at every scale. ``bases`` are as in ``LinearizedTrainer``.
    """

    def __init__(
        self,
        setup: Setup,
        members: Sequence[Params],
        loss: Loss,
        outputs: Sequence[str],
        *,
        scale: float,
        bases: Sequence[Params] | None = None,
    ) -> None:
        model = _perceptron(setup)
        stack = ScaledStack(model, members, bases or members, scale=scale, batch_size=setup.num_rows)
        slower = replace(setup, optimizer=replace(setup.optimizer, lr=setup.optimizer.lr / scale))
        super().__init__(slower, members, loss, outputs, stack=stack)


def _perceptron(setup: Setup) -> MLP:
    assert isinstance(setup.model, MLP), "the settings refuse other models"
    return setup.model
