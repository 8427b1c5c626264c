"""What can be wrong with a Problem: one sentence per fault, of the form *field: expected ..., got ...*."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from subtx_toy.errors import USER_FAULTS, in_short
from subtx_toy.problem import params as vectors
from subtx_toy.problem.derivatives import jacobian_product, pull_back, traced
from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.trait_loss import TENSOR, TraitLoss
from subtx_toy.seeding import generator
from subtx_toy.settings.arguments import Kind, described, instance, integer, is_real, number
from subtx_toy.settings.messages import nearest
from subtx_toy.tolerances import DERIVATIVE_DIFFERS

_EPS, _STUDENT_LR = number(">= 0"), number("> 0")
_CUT = "does it use torch.no_grad(), detach() or a backward pass of its own?"
_LOSSES = ("kl", "squared_error", "reverse_kl", "probability_squared_error", "cosine_distance")


def _call_it(value: object) -> str:
    name = str(value) if isinstance(value, str) else getattr(value, "__name__", "")
    return f"; write {name}()" if name in _LOSSES or isinstance(value, type) else nearest(name, _LOSSES)


_PARAMS = Kind(
    "a dict of tensors by name",
    lambda value: isinstance(value, dict) and all(isinstance(one, Tensor) for one in value.values()),
)

KINDS = {
    "model": Kind(
        "an MLP, a torch.nn.Module or a function f(params, inputs)",
        lambda value: isinstance(value, MLP) or (callable(value) and not isinstance(value, type)),
        _call_it,
    ),
    "base_params": _PARAMS,
    "inputs": TENSOR,
    "distillation_loss": instance(Loss, "a loss such as kl() or squared_error()", _call_it),
    "distilled_logits": Kind(
        "'all', 'aux', 'class', a slice or column numbers",
        lambda value: (
            isinstance(value, str | slice)
            or (isinstance(value, Iterable) and all(isinstance(one, Integral) for one in value))
        ),
    ),
    "trait_loss": instance(TraitLoss, "a trait loss such as cross_entropy_trait(inputs, labels)"),
    "teacher_update": _PARAMS,
    "num_classes": integer(0),
    "eps": _EPS._replace(accepts=is_real),  # their ranges are checked with the rest
    "student_lr": _STUDENT_LR._replace(accepts=is_real),
}
"""What each argument of a Problem may be."""


def numbers(eps: float, student_lr: float) -> Iterator[str]:
    """Check the two step sizes."""
    for name, value, kind in (("eps", eps, _EPS), ("student_lr", student_lr, _STUDENT_LR)):
        if not kind.accepts(value):
            yield f"{name}: expected {kind.expected}, got {value}"


def loss(distillation_loss: Loss) -> Iterator[str]:
    """Check that the loss compares logits with logits."""
    if distillation_loss.targets != "logits":
        yield (
            f"distillation_loss: expected a loss on the teacher's logits, got {distillation_loss.name!r}: "
            "one sampled label per input is a random target, the claims hold for its expectation, which is kl's"
        )


def parameters(field: str, params: Params) -> Iterator[str]:
    """Check that there are parameters, all finite and of one floating dtype."""
    if not params:
        yield f"{field}: expected at least one parameter, got none"
    yield from not_finite(field, params)
    dtypes = {value.dtype for value in params.values()}
    if len(dtypes) > 1:
        yield f"{field}: expected one dtype, got {sorted(map(str, dtypes))}"


def not_finite(field: str, params: Params) -> Iterator[str]:
    """Check that every entry is a finite floating-point number."""
    for name, value in params.items():
        if not value.is_floating_point():
            yield f"{field}[{name!r}]: expected floating-point numbers, got {value.dtype}"
        elif not torch.isfinite(value).all():
            yield f"{field}[{name!r}]: expected finite numbers, got {_first_odd(value)}"


def same_shapes(field: str, update: Params, base_params: Params) -> Iterator[str]:
    """Check that an update has the names, the order, the shapes and the dtype of the parameters."""
    if set(update) != set(base_params):
        missing, unknown = sorted(set(base_params) - set(update)), sorted(set(update) - set(base_params))
        yield f"{field}: expected the names of base_params, got {missing} missing and {unknown} unknown"
        return
    for name, value in update.items():
        want = base_params[name]
        if value.shape != want.shape or value.dtype != want.dtype:
            yield (
                f"{field}[{name!r}]: expected shape {tuple(want.shape)} of {want.dtype}, "
                f"got {tuple(value.shape)} of {value.dtype}"
            )


def inputs(field: str, given: Tensor, dtype: torch.dtype | None) -> Iterator[str]:
    """Check that there are inputs, finite, and of the parameters' dtype if they are floating-point."""
    if given.dim() == 0 or len(given) == 0:
        yield f"{field}: expected at least one input, got shape {tuple(given.shape)}"
    if given.is_floating_point():
        if not torch.isfinite(given).all():
            yield f"{field}: expected finite numbers, got {_first_odd(given)}"
        if dtype is not None and given.dtype != dtype:
            yield f"{field}: expected {dtype} like base_params, got {given.dtype}"


def derivatives(name: str, function: Callable[[Params], Tensor], params: Params) -> list[str]:
    """Take J v and J^T w once, for random v and w, and check that they are of one matrix: w . J v = v . J^T w."""
    rng = generator(0, "problem", "derivatives")

    def like(value: Tensor) -> Tensor:
        return torch.from_numpy(rng.standard_normal(tuple(value.shape))).to(value.dtype)

    try:
        if not traced(function, params)[1].requires_grad:
            return [f"model: expected derivatives of {name} in its parameters, got outputs without any: {_CUT}"]
        v = {key: like(value) for key, value in params.items()}
        outputs, Jv = jacobian_product(function, params, v)
        w = like(outputs)
        Jtw = pull_back(function, params)[1](w)
    except USER_FAULTS as error:
        return [f"model: expected derivatives of {name} in its parameters, got {in_short(error)}"]
    forward = [(w.double() * Jv.double()).sum()]
    backward = [(Jtw[key].double() * v[key].double()).sum() for key in params]
    sizes = [float(value.double().norm()) for value in (w, Jv)], [float(vectors.norm(one)) for one in (v, Jtw)]
    gap = abs(float(sum(forward)) - float(sum(backward)))
    if gap <= DERIVATIVE_DIFFERS * max(map(math.prod, sizes)) or not math.isfinite(gap):
        return []
    return [f"model: expected one derivative of {name}, got others in forward and in reverse mode: {_CUT}"]


def scalar(field: str, call: Callable[[], Any]) -> list[str]:
    """Check that a loss gives one finite number."""
    try:
        value = call()
    except USER_FAULTS as error:
        return [f"{field}: expected a number, got {in_short(error)}"]
    if not isinstance(value, Tensor):
        return [f"{field}: expected a tensor without axes, got {described(value)}"]
    if value.is_complex():
        return [f"{field}: expected a real number, got {value.dtype}"]
    if value.dim() != 0:
        return [f"{field}: expected a scalar, got shape {tuple(value.shape)}"]
    return [] if torch.isfinite(value) else [f"{field}: expected a finite number, got {float(value)}"]


def columns(
    distilled: str | slice | Sequence[int], num_outputs: int, num_classes: int | None
) -> tuple[slice | list[int], list[str]]:
    """Resolve which outputs are distilled; return them and what is wrong with the choice."""
    field = "distilled_logits"
    if isinstance(distilled, str):
        if distilled == "all":
            return slice(0, num_outputs), []
        if distilled not in ("aux", "class"):
            return [], [f"{field}: expected 'all', 'aux', 'class', a slice or column numbers, got {distilled!r}"]
        if num_classes is None:
            return [], [f"num_classes: expected an integer with distilled_logits {distilled!r}, got None"]
        distilled = slice(num_classes, None) if distilled == "aux" else slice(0, num_classes)
    if isinstance(distilled, slice):
        chosen = list(range(num_outputs))[distilled]
    else:
        chosen = [int(column) for column in distilled]
    wrong = [column for column in chosen if not 0 <= column < num_outputs]
    problems = []
    if not chosen:
        problems.append(f"{field}: expected at least one of {num_outputs} outputs, got none")
    if wrong:
        problems.append(f"{field}: expected columns from 0 to {num_outputs - 1}, got {wrong}")
    if len(set(chosen)) < len(chosen):
        problems.append(f"{field}: expected distinct columns, got {chosen}")
    # A contiguous choice stays a view.
    run = list(range(chosen[0], chosen[0] + len(chosen))) if chosen else []
    return (slice(chosen[0], chosen[0] + len(chosen)) if chosen and chosen == run else chosen), problems


def _first_odd(values: Tensor) -> float:
    return float(values[~torch.isfinite(values)][0])
