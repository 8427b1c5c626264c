"""Whether a model of unknown make is smooth and has the derivatives that autograd gives, tried on its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from subtx_toy.problem import params as vectors
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.arithmetic import UNIT_ROUNDOFF
from subtx_toy.problem.model import MLP
from subtx_toy.problem.operations import operations
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import kept
from subtx_toy.seeding import generator
from subtx_toy.theory.linearization import jacobian_product
from subtx_toy.tolerances import DERIVATIVE_AGREES, DERIVATIVE_DIFFERS, KINK_PERSISTS

_REACH = (2.0**-4, 1.0, 16.0)  # distances, both ways, up to which decisions are looked for
_STEPS = (1e-3, 1e-4, 1e-5)  # of finite differences, relative to the parameters
_CLOSE = 2.0**-40  # of the distance, how near a change of decisions is bracketed
_JUMP_STEPS, _JUMP_ROUNDING = (4e-3, 1e-3), 1e3  # of one-sided derivatives, and the roundings that their jump exceeds


class Finding(NamedTuple):
    """Why a condition is not met, or why that cannot be said; both empty where nothing speaks against it."""

    unmet: str = ""
    unchecked: str = ""


def smoothness(problem: Problem) -> Finding:
    """Say whether the model is twice continuously differentiable, with the derivatives that autograd gives it.

    The package's perceptrons are known. Of others the operations are recorded: one of KINKED ends it. Where others
    decide by comparing, parameters are moved until a decision changes, and one-sided derivatives are compared there.
    """
    model = problem.model
    if isinstance(model, MLP) and _is_known(model):
        smooth = model.num_layers == 1 or model.activation.smooth
        return Finding("" if smooth else f"{model.activation.name} is not twice continuously differentiable")
    return kept(problem, "smoothness", lambda: _smoothness(problem))


def narrow(problem: Problem) -> str:
    """Say which operation of the model on its parameters is in less than float64; empty if none is seen to be."""
    known = isinstance(problem.model, MLP) and _is_known(problem.model)
    return "" if known else kept(problem, "narrow", lambda: _narrow(problem.distilled, problem.base_params))


def narrow_trait(problem: Problem) -> str:
    """Say the same of the trait loss, the model inside."""
    return _narrow(problem.trait_value, problem.base_params) if problem.trait_loss else ""


def _narrow(function: Callable[[Params], Tensor], base: Params) -> str:
    try:
        found = operations(function, base)[0].narrow
    except (RuntimeError, TypeError, NotImplementedError):
        return ""
    return found[0] if found else ""


def _is_known(model: MLP) -> bool:
    return model.num_layers == 1 or model.activation is ACTIVATIONS.get(model.activation.name)


def _smoothness(problem: Problem) -> Finding:
    try:
        seen, outputs = operations(problem.distilled, problem.base_params)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        return Finding(unchecked=f"its operations cannot be recorded: {error}")
    if seen.kinked:
        return Finding(f"it runs {seen.kinked[0]} on its parameters, which is not twice continuously differentiable")
    if seen.switches:
        jump = _jump(problem, seen.decisions)
        if jump:
            return Finding(f"it runs {', '.join(dict.fromkeys(seen.switches))}, and {jump}")
    found = derivatives(problem)
    if found.unmet or found.unchecked:
        return found
    if seen.reads:
        return Finding(unchecked=f"Python reads numbers that depend on its parameters, by {seen.reads[0]}")
    if seen.saw(outputs):
        return found
    return Finding(unchecked="what it computes on its parameters is not done by operations of torch")


def derivatives(problem: Problem) -> Finding:
    """Say whether autograd's derivatives of the model are those of its outputs, by finite differences."""
    return kept(problem, "derivatives", lambda: _worst(_derivative(problem, one) for one in _directions(problem)))


def _worst(findings: Iterable[Finding]) -> Finding:
    worst = Finding()
    for found in findings:
        if found.unmet:
            return found
        worst = worst if worst.unchecked else found
    return worst


def _directions(problem: Problem) -> list[Params]:
    rng = generator(0, "claims", "directions")
    base = problem.base_params
    drawn = [{name: torch.from_numpy(rng.standard_normal(tuple(value.shape))) for name, value in base.items()}]
    drawn += [{name: value * drawn[0][name].sign() for name, value in problem.teacher_update.items()}]
    found = [problem.teacher_update, *drawn]
    sizes = [float(vectors.norm(one)) for one in found]
    return [
        {name: value / size for name, value in one.items()} for one, size in zip(found, sizes, strict=True) if size > 0
    ]


def _derivative(problem: Problem, direction: Params) -> Finding:
    base = problem.base_params
    scale = float(vectors.norm(base)) or 1.0
    Jd = jacobian_product(problem, direction)[1]

    def outputs(distance: float) -> Tensor:
        with torch.no_grad():
            return problem.distilled(vectors.axpy(distance, direction, base))

    quotients = [(outputs(h * scale) - outputs(-h * scale)) / (2 * h * scale) for h in _STEPS]
    errors = [float((one - next_).abs().max()) for one, next_ in pairwise(quotients)]
    error, quotient = min(zip(errors, quotients, strict=False), key=lambda pair: pair[0])
    error += UNIT_ROUNDOFF * float(outputs(0.0).abs().max()) / (_STEPS[0] * scale)
    gap, size = float((quotient - Jd).abs().max()), float(torch.maximum(quotient.abs(), Jd.abs()).max())
    if gap > 100 * error + DERIVATIVE_DIFFERS * size:
        return Finding(
            f"its outputs change by {float(quotient.norm()):.3g} along a direction where autograd gives "
            f"{float(Jd.norm()):.3g}: a detached branch, or a backward pass that is not the derivative"
        )
    if gap <= 10 * error + DERIVATIVE_AGREES * size and error <= 0.1 * size:
        return Finding()
    return Finding() if size == 0 else Finding(unchecked=f"finite differences are off by {gap:.2g} of {size:.2g}")


def _jump(problem: Problem, decisions: bytes) -> str:
    """Find where decisions change near the parameters, and say which derivative jumps there; empty if none does."""
    base = problem.base_params
    for direction in _directions(problem):

        def at(distance: float, direction: Params = direction) -> tuple[bytes, Tensor]:
            seen, outputs = operations(problem.distilled, vectors.axpy(distance, direction, base))
            return seen.decisions, outputs

        for sign in (1.0, -1.0):
            end = next((sign * reach for reach in _REACH if at(sign * reach)[0] != decisions), None)
            order = None if end is None else _jump_at(lambda t: at(t)[1], _change(lambda t: at(t)[0], end))
            if order is not None:
                return f"its {_ORDERS[order]} at distance {abs(end or 0.0):.3g} or nearer"
    return ""


_ORDERS = ("outputs jump", "first derivative jumps", "second derivative jumps")


def _change(decisions: Callable[[float], bytes], end: float) -> tuple[float, float]:
    """Close in on the first change between 0 and ``end`` by halving; return both sides of it."""
    start, low, high = decisions(0.0), 0.0, end
    while abs(high - low) > _CLOSE * abs(end):
        middle = (low + high) / 2
        low, high = (middle, high) if decisions(middle) == start else (low, middle)
    return low, high


def _jump_at(outputs: Callable[[float], Tensor], sides: tuple[float, float]) -> int | None:
    """Return the order of the first derivative whose one-sided values differ however small the step, or None."""
    low, high = sides
    forward = math.copysign(1.0, high - low)
    coarse, fine = (_one_sided(outputs, low, -forward * h, high) for h in _JUMP_STEPS)
    size = float(outputs(low).abs().max())
    for order in range(3):
        floor = _JUMP_ROUNDING * UNIT_ROUNDOFF * size / _JUMP_STEPS[1] ** order + _CLOSE * fine.sizes[1] * (order == 0)
        jump = fine.jumps[order]
        if jump > floor and jump > KINK_PERSISTS * coarse.jumps[order] and jump > DERIVATIVE_AGREES * fine.sizes[order]:
            return order
    return None


class _OneSided(NamedTuple):
    jumps: list[float]
    sizes: list[float]


def _one_sided(outputs: Callable[[float], Tensor], low: float, step: float, high: float) -> _OneSided:
    # Of second order in the step, from four points on each side.
    sides = []
    for start, h in ((low, step), (high, -step)):
        a, b, c, d = (outputs(start + i * h) for i in range(4))
        sides.append((a, (-3 * a + 4 * b - c) / (2 * h), (2 * a - 5 * b + 4 * c - d) / h**2))
    jumps = [float((one - other).abs().max()) for one, other in zip(*sides, strict=True)]
    return _OneSided(jumps, [float(one.abs().max()) for one in sides[0]])
