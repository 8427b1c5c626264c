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

_NUM_LOG, _NUM_LINEAR = 60, 400
_LOWEST = 1e-6  # of the cap, where the logarithmic points begin
_BITS = 160
_GAPS = (1e-11, 1e-9, 1e-7)  # relative, on either side of the change


@dataclass(frozen=True)
class Observed:
    """``eps``: the opposite sign there and the claimed one just below, both at 160 bits; else None and the reason.

    Where no point before it has the claimed sign, none is confirmed below.
    """

    eps: float | None
    reason: str = ""


def observe(described: Description, quantity: str, *, start: float, cap: float) -> Observed:
    """Look at 60 logarithmic and 400 linear points of (start, cap], close in on the first change, and confirm it.

    A scan can step over a pair of zeros. Points up to ``start`` are left out: there the sign is proved.
    """
    plain = PlainQuantity(described, quantity)
    grid = np.geomspace(_LOWEST * cap, cap, _NUM_LOG), np.linspace(cap / _NUM_LINEAR, cap, _NUM_LINEAR)
    near = start * (1 + 2.0 ** np.arange(-26, -9)) if start > 0 else np.zeros(0)
    points = np.unique(np.concatenate([*grid, near]))
    below, unsure = start, 0.0
    with np.errstate(all="ignore"):
        for eps in points[(points > start) & (points <= cap)]:
            value = plain(float(eps))
            if not np.isfinite(value):
                return Observed(None, f"the outputs are not finite from eps = {eps:.3g} on")
            if value > 0:
                below = float(eps)
                continue
            found = _confirmed(described, quantity, plain, below, float(eps))
            if found is not None:
                return Observed(found)
            if below > 0 and _sign(described, quantity, float(eps)) < 0:  # all further points are beyond the change
                return Observed(None, f"a change of sign below eps = {eps:.3g} is not confirmed at {_BITS} bits")
            unsure = unsure or float(eps)
    if unsure:
        return Observed(None, f"a change of sign below eps = {unsure:.3g} is not confirmed at {_BITS} bits")
    return Observed(None, "no change of sign is seen up to the cap")


def _confirmed(described: Description, quantity: str, plain: PlainQuantity, below: float, above: float) -> float | None:
    root = above
    if below > 0 and plain(below) > 0 > plain(above):
        root = float(brentq(plain, below, above, xtol=1e-13 * below, rtol=1e-13))
    if below == 0:
        return above if _sign(described, quantity, above) < 0 else None
    for gap in _GAPS:
        if _sign(described, quantity, root * (1 - gap)) > 0 > _sign(described, quantity, root * (1 + gap)):
            return root * (1 + gap)
    return None


def _sign(described: Description, quantity: str, eps: float) -> int:
    try:
        from flint import ctx

        from subtx_toy.certify.checker.document import Claimed
        from subtx_toy.certify.checker.network import Network
        from subtx_toy.certify.checker.proof import Claim
    except ImportError as error:
        raise InputError("python-flint: expected it to be installed for certificates, got none") from error
    before = ctx.prec
    ctx.prec = _BITS
    try:
        network = Network(Claimed(described.settings(), described.arrays, {}, "", quantity, eps, [], None))
        value = Claim(network).enclose(eps, eps).at_point
    finally:
        ctx.prec = before
    return int(value > 0) - int(value < 0)
