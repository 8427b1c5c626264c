"""What the claims ask of a distillation loss, tried numerically on given outputs; the package's own are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.arithmetic import UNIT_ROUNDOFF
from subtx_toy.problem.losses import Loss
from subtx_toy.seeding import generator
from subtx_toy.tolerances import ALIGNMENT_FLOOR_UNITS, DERIVATIVE_DIFFERS, LOSS_REMAINDER, ROWS_AGREE

_MAX_ROWS = 64
_STEPS = tuple(4.0**-power for power in range(3, 10))  # of the outputs' size
_CENTRAL = 2.0**-16
_FAR_TARGETS = (0.01, 1.0, 16.0)  # of the outputs' size


def gradient_fault(loss: Loss, outputs: Float[Tensor, "n k"]) -> str:
    """Say why the loss's gradient is not the derivative of its values per input, or nothing."""
    return "" if loss.formula else next(_gradient_faults(loss, *_probe(outputs)), "")


def agreement_fault(loss: Loss, outputs: Float[Tensor, "n k"]) -> str:
    """Say why the loss is not, smoothly, least where student and teacher agree, or nothing.

    At z = y the gradient is zero, the output Hessian M is symmetric and positive semi-definite, and a target y moved by
    h d changes the gradient by -h M d + O(h^2), as three derivatives in (z, y) give it.
    """
    if loss.formula:
        return ""
    probe = _probe(outputs)
    return next(chain(_gradient_faults(loss, *probe), _agreement_faults(loss, *probe)), "")


def null_space_fault(loss: Loss, outputs: Float[Tensor, "n k"]) -> str:
    """Say why the loss can push a student along what its Hessian does not see, or nothing.

    The gradient dl/dz(z, y) has to be orthogonal to the null space of the Hessian M at z = y = f(x), for every target:
    then M v = 0 gives an alignment of exactly 0. It is for squared error and kl; for others the targets tried are a
    hundredth of the outputs' size, all of it, and sixteen times it away.
    """
    if loss.formula:
        return ""
    z, directions = _probe(outputs)
    k = z.shape[-1]
    if k > 4 * _MAX_ROWS:
        return f"there are {k} outputs, too many to look for its null space"
    basis = torch.eye(k, dtype=z.dtype)
    M = torch.stack([loss.hessian_product(z, z, one.expand_as(z)) for one in basis], dim=-1)
    if not bool(torch.isfinite(M).all()):
        return "its Hessian is not finite at agreeing outputs"
    values, axes = torch.linalg.eigh((M + M.mT) / 2)
    unseen = values <= ROWS_AGREE * values.abs().amax(-1, keepdim=True)
    if not bool(unseen.any()):
        return ""
    for scale in _FAR_TARGETS:
        for direction in directions:
            slopes = loss.output_gradient(z, z + scale * direction)
            along = ((axes * slopes[..., None]).sum(-2) * unseen).abs().amax(-1)
            sizes = slopes.norm(dim=-1)
            if not bool(torch.isfinite(sizes).all()):
                return f"its gradient is not finite, targets {scale:g} sizes away"
            noise = ALIGNMENT_FLOOR_UNITS * UNIT_ROUNDOFF * max(1.0, float(sizes.max()))
            if bool((along > ROWS_AGREE * sizes + noise).any()):
                worst = float((along / sizes.clamp_min(noise)).max())
                return (
                    f"a part {worst:.2g} of its gradient lies where its Hessian is zero, targets {scale:g} sizes away"
                )
    return ""


def _probe(outputs: Tensor) -> tuple[Tensor, list[Tensor]]:
    z = outputs[:: max(1, len(outputs) // _MAX_ROWS)][:_MAX_ROWS].detach()
    size = z.abs().amax(-1, keepdim=True)
    size = torch.where(size > 0, size, size.max() if bool(size.any()) else 1.0)
    rng = generator(0, "problem", "loss")
    return z, [size * torch.from_numpy(rng.uniform(-1.0, 1.0, tuple(z.shape))) for _ in range(3)]


def _gradient_faults(loss: Loss, z: Tensor, directions: list[Tensor]) -> Iterator[str]:
    y, d, _ = directions
    y = z + 0.3 * y
    values = loss.values(z, y)
    if values.shape != z.shape[:1]:
        yield f"its values have the shape {list(values.shape)} for {len(z)} inputs, expected one number per input"
        return
    half = max(1, len(z) // 2)
    alone = loss.values(z[:half], y[:half])
    if float((alone - values[:half]).abs().max()) > ROWS_AGREE * float(values.abs().max()):
        yield "an input's value depends on the other inputs or on their number, where they are to be averaged"
    h = _CENTRAL
    change = (loss.values(z + h * d, y) - loss.values(z - h * d, y)) / (2 * h)
    slope = (loss.output_gradient(z, y) * d).sum(-1)
    floor = UNIT_ROUNDOFF / h * float(values.abs().max())
    gap = float((change - slope).abs().max())
    if not gap <= DERIVATIVE_DIFFERS * float(torch.maximum(change.abs(), slope.abs()).max()) + 100 * floor:
        yield f"its gradient is not the derivative of its values: off by {gap:.3g} of {float(change.abs().max()):.3g}"


def _agreement_faults(loss: Loss, z: Tensor, directions: list[Tensor]) -> Iterator[str]:
    slope = float(loss.output_gradient(z, z).abs().max())
    swapped = float(loss.output_gradient(z, z.roll(1, dims=-1)).abs().max())
    if not slope <= ALIGNMENT_FLOOR_UNITS * UNIT_ROUNDOFF * max(1.0, swapped):
        yield f"its slope at agreeing outputs is {slope:.3g}"
        return
    d, e, _ = directions
    Md, Me = (loss.hessian_product(z, z, one) for one in (d, e))
    if not bool(torch.isfinite(Md).all()):
        yield "its Hessian is not finite at agreeing outputs"
        return
    scale = float(Md.norm() * e.norm() + Me.norm() * d.norm())
    nudged = z * (1 + 2 * UNIT_ROUNDOFF * torch.sign(e))
    if float((loss.hessian_product(nudged, nudged, d) - Md).norm()) > 0.1 * float(Md.norm()):
        return  # a Hessian that is rounding, as of a loss that is constant
    if abs(float((Md * e).sum() - (Me * d).sum())) > DERIVATIVE_DIFFERS * scale:
        yield "its Hessian is not symmetric"
    yield from _indefinite(loss, z)
    noise = ALIGNMENT_FLOOR_UNITS * UNIT_ROUNDOFF * max(swapped, float(loss.output_gradient(z, z + d).abs().max()))
    for name, moved in (("target", lambda h: (z, z + h * d)), ("student", lambda h: (z + h * d, z))):
        fault = _remainder_fault(loss, moved, Md if name == "student" else -Md, noise)
        if fault:
            yield f"a {name} moved by h changes its gradient by {fault}: not of order h^2"


def _indefinite(loss: Loss, z: Tensor) -> Iterator[str]:
    k = z.shape[-1]
    basis = torch.eye(k, dtype=z.dtype)[: 4 * _MAX_ROWS]
    if len(basis) == k:
        M = torch.stack([loss.hessian_product(z, z, one.expand_as(z)) for one in basis], dim=-1)
        values = torch.linalg.eigvalsh((M + M.mT) / 2)
        least, most = float(values.min()), float(values.abs().max())
        if least < -ROWS_AGREE * most:
            yield f"its Hessian at agreeing outputs has the eigenvalue {least:.3g}"


def _remainder_fault(loss: Loss, moved: Callable[[float], tuple[Tensor, Tensor]], slope: Tensor, noise: float) -> str:
    sizes = [float((loss.output_gradient(*moved(h)) - h * slope).norm()) for h in _STEPS]
    size, found = float(slope.norm()), ""
    for (h, mine), (finer, less) in pairwise(zip(_STEPS, sizes, strict=True)):
        if less <= noise + ROWS_AGREE * finer * size:
            break  # rounding, from here on
        # Of second order, it falls to a sixteenth at a quarter of the step; the smallest step that shows decides.
        ordered = less <= LOSS_REMAINDER * mine
        found = "" if ordered else f"{less:.2g} more than its Hessian gives at h = {finer:.2g}, {mine:.2g} at {h:.2g}"
    return found
