"""The smallest problems on which each broken student fails for sure, with the reason in numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.losses import Loss, kl, squared_error
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.problem.trait_loss import squared_error_trait


def _number(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def free_logits(logits: Sequence[float], update: Sequence[float], loss: Loss) -> Problem:
    """Build z = logits + the parameters' move, one input; the softmax of (1, 0) is (.731, .269)."""
    still = torch.zeros(len(logits), 1, dtype=torch.float64)
    return Problem(
        model=FastMLP((1, len(logits)), ACTIVATIONS["tanh"], num_classes=1),
        base_params={"layers.0.weight": still, "layers.0.bias": _number(*logits)},
        inputs=_number(0.0)[:, None],
        distillation_loss=loss,
        teacher_update={"layers.0.weight": still, "layers.0.bias": _number(*update)},
        eps=0.01,
        student_lr=0.1,
    )


def perceptron(
    w: Sequence[float],
    a: Sequence[float],
    dw: Sequence[float],
    da: Sequence[float],
    *,
    db: float = 0.0,
    inputs: Sequence[float] = (1.0,),
) -> Problem:
    """Build z = sum_i a_i tanh(w_i x) + b with squared error, b = 0, and a teacher that moves w, a and b."""

    def params(w: Sequence[float], a: Sequence[float], b: float) -> Params:
        hidden = {"layers.0.weight": _number(*w)[:, None], "layers.0.bias": torch.zeros(len(w), dtype=torch.float64)}
        return hidden | {"layers.1.weight": _number(*a)[None, :], "layers.1.bias": _number(b)}

    return Problem(
        model=FastMLP((1, len(w), 1), ACTIVATIONS["tanh"], num_classes=1),
        base_params=params(w, a, 0.0),
        inputs=_number(*inputs)[:, None],
        distillation_loss=squared_error(),
        teacher_update=params(dw, da, db),
        eps=0.01,
        student_lr=0.1,
    )


def line(
    inputs: Sequence[Sequence[float]], update: Sequence[float], *, trait: tuple[Sequence[float], float] | None = None
) -> Problem:
    """Build z = w . x + b with squared error, at 0; the trait is squared error at one input, to one target."""

    def params(values: Sequence[float]) -> Params:
        return {"layers.0.weight": _number(*values[:-1])[None, :], "layers.0.bias": _number(values[-1])}

    loss = None
    if trait is not None:
        x, target = trait
        loss = squared_error_trait(_number(*x)[None, :], _number(target)[None, :], class_logits=slice(0, 1))
    return Problem(
        model=FastMLP((len(update) - 1, 1), ACTIVATIONS["tanh"], num_classes=1),
        base_params=params([0.0] * len(update)),
        inputs=torch.stack([_number(*x) for x in inputs]),
        distillation_loss=squared_error(),
        trait_loss=loss,
        teacher_update=params(update),
        eps=0.01,
        student_lr=0.1,
    )


_COS, _SIN = 0.5, 0.75**0.5  # of 60 degrees

CONSTRUCTED: dict[str, Callable[[], Problem]] = {
    # Twice as hot, the student's (.622, .378) is pulled up to .731 while the teacher goes down.
    "temperature": lambda: free_logits((1.0, 0.0), (-1.0, 1.0), kl()),
    # The most likely label pulls .731 up to 1 while the teacher goes down.
    "argmax": lambda: free_logits((1.0, 0.0), (-1.0, 1.0), kl()),
    # Smoothed, .731 becomes .708: the student goes down while the teacher goes up.
    "smoothing": lambda: free_logits((1.0, 0.0), (1.0, -1.0), kl()),
    # Rounded, .7311 becomes .73: the student goes down while the teacher goes up.
    "rounded": lambda: free_logits((1.0, 0.0), (1.0, -1.0), kl()),
    # Clipped, the logit of 1 becomes 1/2.
    "clipped": lambda: free_logits((1.0, 0.0), (1.0, -1.0), squared_error()),
    # (.665, .245, .090) becomes (.731, .269, 0): the third goes down while the teacher raises it.
    "top_k": lambda: free_logits((2.0, 1.0, 0.0), (-1.0, -1.0, 2.0), kl()),
    # With h = tanh(1), the student's output is 0 or 2 h against h, its update along (a_1, a_2, b) = (2, -1, -.3):
    # -4 h^2 + .3 h if it keeps the first unit, -2 h^2 - .3 h the second, -2 h^2 + .3 h both, -.3 h none.
    "dropout": lambda: perceptron((1.0, 1.0), (1.0, 0.0), (0.0, 0.0), (2.0, -1.0), db=-0.3),
    # The two inputs give (tanh 1, tanh 3), normalised (-tanh 1, tanh 1): a falls by .49 while the teacher raises it.
    "batch_norm": lambda: perceptron((1.0,), (1.0,), (0.0,), (1.0,), inputs=(1.0, 3.0)),
    # The bias of 1 decays while the teacher raises it.
    "weight_decay": lambda: free_logits((1.0, 0.0), (1.0, -1.0), squared_error()),
    # Elsewhere the outputs differ from the teacher's at every eps: the update has order 0.
    "cross_model": lambda: perceptron((1.0, -1.0), (1.0, 0.5), (0.0, 0.0), (1.0, -1.0)),
    # With the two units swapped, J dT = tanh(1) + tanh(1) becomes its negative.
    "permuted_units": lambda: perceptron((1.0, -1.0), (1.0, 1.0), (0.0, 0.0), (1.0, -1.0)),
    # Minus the loss, minus the alignment.
    "repulsive": lambda: free_logits((1.0, 0.0), (1.0, -1.0), squared_error()),
    # J dT = sech(1/2)^2 - 10 tanh(1/2) < 0 on the whole, while the first layer's part of it is positive.
    "first_layer": lambda: perceptron((0.5,), (1.0,), (1.0,), (-10.0,)),
    # A parabola: any step beyond the window ends farther.
    "large_student_lr": lambda: free_logits((1.0, 0.0), (1.0, -1.0), squared_error()),
    # As for "cross_model": the displacement has order 0.
    "cross_model_path": lambda: perceptron((1.0, -1.0), (1.0, 0.5), (0.0, 0.0), (1.0, -1.0)),
    # One mode: after two steps of 2.5 the part 1 - (1 - 2.5)^2 = -1.25 of the teacher's move.
    "long_batches": lambda: free_logits((1.0, 0.0), (1.0, -1.0), squared_error()),
    # One mode: after four steps of 1.6 the part -.0368.
    "far_momentum": lambda: free_logits((1.0, 0.0), (1.0, -1.0), squared_error()),
    # Adam's first steps have length lr, whatever eps.
    "fixed_adam": lambda: free_logits((1.0, 0.0), (1.0, -1.0), squared_error()),
    # The bias of 1 decays, whatever eps.
    "decay_to_zero": lambda: free_logits((1.0, 0.0), (1.0, -1.0), squared_error()),
    # What is left to the teacher does not vanish with eps, and the pull is not its square.
    "cross_model_pull": lambda: perceptron((1.0, -1.0), (1.0, 0.5), (0.0, 0.0), (1.0, -1.0)),
    # g = (1, -1/5, 1) and the teacher's (-1, 2, 0) lowers the trait loss at the rate -1.4; but x = (1, 1, 1) has
    # g . x = 1.8 and dT . x = 1, so the student raises it.
    "trained_teacher": lambda: line([(1.0, 1.0)], (-1.0, 2.0, 0.0), trait=((1.0, -0.2), -1.0)),
    # The outputs of the two inputs differ already at the base.
    "shuffled": lambda: ProblemSpec(hidden=(3,), input_dim=2, num_classes=2, num_inputs=2).build_fast(),
    # Inputs x, x' at 60 and 120 degrees, and 1 for the bias: dT . x = 1/2, x . x' = 3/2, dT . x' = -1/2. What passes
    # through both points away from the teacher.
    "other_inputs": lambda: line([(-_COS, _SIN), (_COS, _SIN)], (1.0, 0.0, 0.0)),
    # One mode: at scale 4 a step multiplies the gap by 1 - 4.
    "undivided_lr": lambda: free_logits((1.0, 0.0), (1.0, -1.0), squared_error()),
}
"""By the id of the broken student."""
