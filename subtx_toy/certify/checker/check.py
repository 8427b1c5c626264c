"""Checking: the file's form, then the sign on every box, subdivided where one proof does not do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flint import arb, ctx

from subtx_toy.certify.checker.document import CertificateFile, Rejected
from subtx_toy.certify.checker.network import Network
from subtx_toy.certify.checker.proof import ClaimedRate

OF_A_STEP = ("trait-loss", "distance")
"""Quantities that depend on the student's step size."""

_BITS = 64
_FINEST = 2.0**-20  # of a box: shorter pieces than that of it are not tried


@dataclass(frozen=True)
class Checked:
    """What was re-proved: ``quantity`` > 0 for every eps in (0, ``eps``]; ``pieces`` proofs in ``seconds`` of CPU.

    ``student_lr`` is part of what is claimed of trait loss and distance, and None where a claim does not depend on it.
    """

    quantity: str
    eps: float
    student_lr: float | None
    fingerprint: str
    boxes: int
    pieces: int
    bracketed: bool
    seconds: float


def check(
    claimed: CertificateFile,
    *,
    expected: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Checked:
    """Re-prove a certificate, or raise Rejected with the reason.

    ``expected`` holds digests by array, and ``"settings"`` as JSON text, of the problem that it has to be about.
    """
    began, pieces = time.process_time(), 0
    if expected is not None:
        _same_problem(claimed, expected)
    with ctx.workprec(_BITS):
        claim = ClaimedRate(Network(claimed.settings, claimed.arrays, claimed.quantity))
        for place, box in enumerate(claimed.boxes):
            pieces += _prove(claim, place, *box)
            progress(place + 1, len(claimed.boxes))
        if claimed.negative is not None:
            _disprove(claim, *claimed.negative)
    return Checked(
        quantity=claimed.quantity,
        eps=claimed.eps,
        student_lr=float(claimed.settings["student_lr"]) if claimed.quantity in OF_A_STEP else None,
        fingerprint=claimed.fingerprint,
        boxes=len(claimed.boxes),
        pieces=pieces,
        bracketed=claimed.negative is not None,
        seconds=time.process_time() - began,
    )


def _same_problem(claimed: CertificateFile, expected: Mapping[str, str]) -> None:
    if json.dumps(claimed.settings, sort_keys=True) != expected["settings"]:
        raise Rejected("it is about another problem: the settings differ")
    for name in sorted((set(expected) | set(claimed.digests)) - {"settings"}):
        if expected.get(name) != claimed.digests.get(name):
            raise Rejected(f"it is about another problem: the array {name!r} differs")


def _prove(claim: ClaimedRate, place: int, lo: float, hi: float, lower: float) -> int:
    waiting, pieces, shortest = [(lo, hi)], 0, (hi - lo) * _FINEST
    while waiting:
        a, b = waiting.pop()
        pieces += 1
        found = claim.enclose(a, b)
        at = 0.0 if a == 0 else 0.5 * a + 0.5 * b
        if not found.at_point.is_finite():
            raise Rejected(f"box {place}: nothing finite can be said at eps = {at!r}")
        if found.at_point < 0:
            raise Rejected(f"box {place} claims a positive rate, but at eps = {at!r} it is negative")
        if found.at_point < arb(lower):
            raise Rejected(f"box {place} claims a rate of at least {lower!r}, but at eps = {at!r} it is smaller")
        if found.whole > 0:
            continue
        if b - a <= shortest:
            raise Rejected(f"box {place} could not be proved near eps = {at!r}")
        middle = 0.5 * a + 0.5 * b
        waiting += [(middle, b), (a, middle)]
    return pieces


def _disprove(claim: ClaimedRate, at: float, upper: float) -> None:
    value = claim.enclose(at, at).at_point
    if not value < 0:
        raise Rejected(f"the change of sign is claimed at eps = {at!r}, but the value there is not proved negative")
    if value > arb(upper):
        raise Rejected(f"the value at eps = {at!r} is claimed to be at most {upper!r}, but it is larger")
