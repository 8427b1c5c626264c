"""The smallest problems on which each broken student fails for sure, with the reason in numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from subtx_toy.losses import Loss, kl, squared_error
from subtx_toy.models import ACTIVATIONS, MLP
from subtx_toy.params import Params
from subtx_toy.problem import Problem


def _number(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def two_logits(update: Sequence[float], loss: Loss) -> Problem:
    """Build z = (1, 0) + the parameters' move, one input: the softmax of the base is (.731, .269)."""
    return Problem(
        model=MLP((1, 2), ACTIVATIONS["tanh"], num_classes=1),
        base_params={"layers.0.weight": _number(0.0, 0.0)[:, None], "layers.0.bias": _number(1.0, 0.0)},
        inputs=_number(0.0)[:, None],
        distillation_loss=loss,
        teacher_update={"layers.0.weight": _number(0.0, 0.0)[:, None], "layers.0.bias": _number(*update)},
        eps=0.01,
        student_lr=0.1,
    )


def perceptron(w: Sequence[float], a: Sequence[float], dw: Sequence[float], da: Sequence[float]) -> Problem:
    """Build z = sum_i a_i tanh(w_i) with squared error, and a teacher that moves w by dw and a by da."""

    def params(w: Sequence[float], a: Sequence[float]) -> Params:
        hidden = {"layers.0.weight": _number(*w)[:, None], "layers.0.bias": torch.zeros(len(w), dtype=torch.float64)}
        return hidden | {"layers.1.weight": _number(*a)[None, :], "layers.1.bias": _number(0.0)}

    return Problem(
        model=MLP((1, len(w), 1), ACTIVATIONS["tanh"], num_classes=1),
        base_params=params(w, a),
        inputs=_number(1.0)[:, None],
        distillation_loss=squared_error(),
        teacher_update=params(dw, da),
        eps=0.01,
        student_lr=0.1,
    )


CONSTRUCTED: dict[str, Callable[[], Problem]] = {
    # Twice as hot, the student's (.622, .378) is pulled up to .731 while the teacher goes down.
    "temperature": lambda: two_logits((-1.0, 1.0), kl()),
    # The most likely label pulls .731 up to 1 while the teacher goes down.
    "argmax": lambda: two_logits((-1.0, 1.0), kl()),
    # Smoothed, .731 becomes .708: the student goes down while the teacher goes up.
    "smoothing": lambda: two_logits((1.0, -1.0), kl()),
    # The bias of 1 decays while the teacher raises it.
    "weight_decay": lambda: two_logits((1.0, -1.0), squared_error()),
    # Elsewhere the outputs differ from the teacher's at every eps: the update has order 0.
    "cross_model": lambda: perceptron((1.0, -1.0), (1.0, 0.5), (0.0, 0.0), (1.0, -1.0)),
    # With the two units swapped, J dT = tanh(1) + tanh(1) becomes its negative.
    "permuted_units": lambda: perceptron((1.0, -1.0), (1.0, 1.0), (0.0, 0.0), (1.0, -1.0)),
    # Minus the loss, minus the alignment.
    "repulsive": lambda: two_logits((1.0, -1.0), squared_error()),
    # J dT = sech(1/2)^2 - 10 tanh(1/2) < 0 on the whole, while the first layer's part of it is positive.
    "first_layer": lambda: perceptron((0.5,), (1.0,), (1.0,), (-10.0,)),
    # A parabola: any step beyond the window ends farther.
    "large_student_lr": lambda: two_logits((1.0, -1.0), squared_error()),
}
"""By the id of the broken student."""
