"""The first change of sign that is seen along the ray, confirmed at 160 bits (claim C10).

The confirmation is by the checker's arithmetic, which shares no code with the search whose end it stands beside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from subtx_toy.certify.description import Description
from subtx_toy.certify.plain import PlainQuantity
from subtx_toy.errors import InputError
from subtx_toy.problem.sign_change import confirmed_gap, scan_points, sign_changes

_BITS = 160
_GAPS = (1e-11, 1e-9, 1e-7)  # relative, on either side of the change
_NEAR = 2.0 ** np.arange(-26, -9)  # relative, beyond the end of the proof: where a change is likely


@dataclass(frozen=True)
class FirstChange:
    """``eps``: the opposite sign there and the claimed one just below, both at 160 bits; else None and the reason.

    Where no point before it has the claimed sign, none is confirmed below.
    """

    eps: float | None
    reason: str = ""


def observe(described: Description, *, start: float, cap: float) -> FirstChange:
    """Look at 60 logarithmic and 400 linear points of (start, cap], close in on the first change, and confirm it.

    A scan can step over a pair of zeros. Points up to ``start`` are left out: there the sign is proved.
    """
    plain, unsure = PlainQuantity(described), 0.0
    points = np.unique(np.concatenate([scan_points(cap), start * (1 + _NEAR)]))
    with np.errstate(all="ignore"):
        for below, eps, value in sign_changes(plain, points[(points > start) & (points <= cap)], start=start):
            if not np.isfinite(value):
                return FirstChange(None, f"the outputs are not finite from eps = {eps:.3g} on")
            found = _confirmed(described, plain, below, eps)
            if found is not None:
                return FirstChange(found)
            if below > 0 and _sign(described, eps) < 0:  # all further points are beyond the change
                unsure = eps
                break
            unsure = unsure or eps
    if unsure:
        return FirstChange(None, f"a change of sign below eps = {unsure:.3g} is not confirmed at {_BITS} bits")
    return FirstChange(None, "no change of sign is seen up to the cap")


def _confirmed(described: Description, plain: PlainQuantity, below: float, above: float) -> float | None:
    if below == 0:
        return above if _sign(described, above) < 0 else None
    root = above
    if plain(below) > 0 > plain(above):
        root = float(brentq(plain, below, above, xtol=1e-13 * below, rtol=1e-13))
    gap = confirmed_gap(lambda eps: _sign(described, eps), root, _GAPS)
    return None if gap is None else root * (1 + gap)


def _sign(described: Description, eps: float) -> int:
    try:
        from flint import ctx

        from subtx_toy.certify.checker.network import Network
        from subtx_toy.certify.checker.proof import ClaimedRate
    except ImportError as error:
        raise InputError("python-flint: expected it to be installed for certificates, got none") from error
    before = ctx.prec
    ctx.prec = _BITS
    try:
        network = Network(described.settings(), described.arrays, described.quantity)
        value = ClaimedRate(network).enclose(eps, eps).at_point
    finally:
        ctx.prec = before
    return int(value > 0) - int(value < 0)
