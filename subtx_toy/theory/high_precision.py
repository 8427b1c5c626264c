"""The alignment at one eps to 160 bits, with a bound on its own rounding: whether a sign seen in float64 is there.

The model's parameters, the inputs and eps are the float64 numbers that they are, exactly. Balls carry the rounding:
a sign that this module gives is proved at that one eps. Nothing is said of other eps; a certificate does that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import flint
from flint import arb, arb_mat
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.activations import ACTIVATIONS, is_known

BITS = 160
"""Of the mantissa; float64 has 53."""


@dataclass(frozen=True)
class Sign:
    """The sign of the alignment at one eps: 1, -1, or 0 with the reason if 160 bits leave it open or cannot be used."""

    value: int
    reason: str = ""


def alignment_sign(problem: Problem, eps: float) -> Sign:
    """Return the sign of the alignment at ``eps``, for this package's smooth perceptrons under squared error or kl."""
    reason = _obstacle(problem)
    if reason:
        return Sign(0, reason)
    found = precise_alignment(problem, eps)
    sign = int(found > 0) - int(found < 0)
    return Sign(sign, "" if sign else f"at {BITS} bits the alignment at eps = {eps:.3g} is {found}")


def precise_alignment(problem: Problem, eps: float) -> arb:
    """Return a ball that holds a(eps) = -mean_n <v_n, dl/dz(f_base(x_n), f_teacher(x_n))>, v = J dT (claim C5)."""
    reason = _obstacle(problem)
    if reason or not isinstance(problem.model, MLP):
        raise InputError(f"problem: expected a smooth MLP under squared error or kl, but {reason}")
    with flint.ctx.workprec(BITS):
        return _alignment(problem, problem.model, arb(eps))


def _obstacle(problem: Problem) -> str:
    if not isinstance(problem.model, MLP):
        return f"only this package's perceptrons are evaluated at {BITS} bits"
    if problem.model.num_layers > 1 and not is_known(problem.model.activation):
        return f"{problem.model.activation.name} is not evaluated at {BITS} bits"
    if not problem.distillation_loss.formula:
        return f"the distillation loss {problem.distillation_loss.name!r} is not evaluated at {BITS} bits"
    return ""


def _alignment(problem: Problem, model: MLP, eps: arb) -> arb:
    base = {name: _matrix(value) for name, value in problem.base_params.items()}
    update = {name: _matrix(value) for name, value in problem.teacher_update.items()}
    teacher = {name: base[name] + update[name] * eps for name in base}
    x = _matrix(problem.inputs).transpose()
    outputs, v = _outputs_and_product(model, base, update, x)
    targets, _ = _outputs_and_product(model, teacher, update, x)
    columns = range(model.sizes[-1])
    chosen = columns[problem.columns] if isinstance(problem.columns, slice) else problem.columns
    total, temperature = arb(0), arb(problem.distillation_loss.temperature)
    for n in range(x.ncols()):
        z, y, along = ([matrix[k, n] for k in chosen] for matrix in (outputs, targets, v))
        if problem.distillation_loss.formula == "kl":
            z, y = _softmax(z, temperature), _softmax(y, temperature)
        slopes = [a - b for a, b in zip(z, y, strict=True)]
        if problem.distillation_loss.formula == "kl":
            slopes = [one / temperature for one in slopes]
        total -= sum((a * r for a, r in zip(along, slopes, strict=True)), arb(0))
    return total / x.ncols()


def _softmax(z: Sequence[arb], temperature: arb) -> list[arb]:
    powers = [(one / temperature).exp() for one in z]
    total = sum(powers, arb(0))
    return [one / total for one in powers]


def _outputs_and_product(
    model: MLP, at: dict[str, arb_mat], along: dict[str, arb_mat], x: arb_mat
) -> tuple[arb_mat, arb_mat]:
    # z = W a + b  and  v = dW a + db + W a',   then  a = s(z)  and  a' = s'(z) v
    ones = arb_mat(1, x.ncols(), [1] * x.ncols())
    a, tangent = x, arb_mat(x.nrows(), x.ncols())
    z, v = a, tangent
    for layer in range(model.num_layers):
        weight, bias = f"layers.{layer}.weight", f"layers.{layer}.bias"
        z = at[weight] * a + at[bias] * ones
        v = along[weight] * a + along[bias] * ones + at[weight] * tangent
        if layer < model.num_layers - 1:
            pairs = [ACTIVATIONS[model.activation.name].at_point(one) for one in z.entries()]
            a = arb_mat(z.nrows(), z.ncols(), [value for value, _ in pairs])
            slopes = [slope * move for (_, slope), move in zip(pairs, v.entries(), strict=True)]
            tangent = arb_mat(z.nrows(), z.ncols(), slopes)
    return z, v


def _matrix(values: Tensor) -> arb_mat:
    # A vector becomes a column.
    return arb_mat(values.reshape(len(values), -1).tolist())
