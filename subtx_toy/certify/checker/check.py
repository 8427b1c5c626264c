"""Checking: the file's form, then the sign on every box, subdivided where one proof does not do."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from flint import arb, ctx

from subtx_toy.certify.checker.document import CertificateFile
from subtx_toy.certify.checker.proof import ClaimedRate, Enclosed, network_of
from subtx_toy.certify.checker.rejected import Rejected
from subtx_toy.certify.checker.size import most_pieces

OF_A_STEP = ("trait-loss", "distance")
"""Quantities that depend on the student's step size."""

_BITS = 64
_CAUTION = 0.9  # of the longest piece that the last proof leads to expect


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
        prover = _Prover(claimed, most_pieces(claimed.settings, claimed.arrays, claimed.quantity, cap=claimed.cap))
        if claimed.negative is not None:
            prover.disprove(*claimed.negative)
        for done, place in enumerate(_scouted(len(claimed.boxes))):
            pieces += prover.prove(place)
            progress(done + 1, len(claimed.boxes))
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


def _scouted(boxes: int) -> list[int]:
    """Return the order: a few boxes far apart, the last one first, so that what is untrue is mostly found at once."""
    first = [boxes - 1] + [boxes * part // 8 for part in (4, 2, 6)] if boxes > 16 else []
    return [*dict.fromkeys([*first, *range(boxes)])]


def _same_problem(claimed: CertificateFile, expected: Mapping[str, str]) -> None:
    if json.dumps(claimed.settings, sort_keys=True) != expected["settings"]:
        raise Rejected("it is about another problem: the settings differ")
    for name in sorted((set(expected) | set(claimed.digests)) - {"settings"}):
        if expected.get(name) != claimed.digests.get(name):
            raise Rejected(f"it is about another problem: the array {name!r} differs")


class _Unproved(Rejected):
    """A piece whose sign is not proved."""

    def __init__(self, message: str, piece: tuple[float, float]) -> None:
        super().__init__(message)
        self.piece = piece


class _Prover:
    """Proves one box after the other; a box that takes several proofs tells how long the pieces of the next may be."""

    def __init__(self, claimed: CertificateFile, most: int) -> None:
        self.claimed, self.reach, self.place, self.most = claimed, math.inf, -1, most
        self.claim = self._claim(exact=False)
        self.order = self.claim.order

    def _claim(self, *, exact: bool) -> ClaimedRate:
        claimed = self.claimed
        return ClaimedRate(network_of(claimed.settings, claimed.arrays, claimed.quantity, exact=exact))

    @cached_property
    def finest(self) -> ClaimedRate:
        """The claim in full precision, which is several times slower."""
        return self._claim(exact=True)

    def prove(self, place: int) -> int:
        """Prove a box; return in how many pieces."""
        if place != self.place + 1:  # a box far from the last one says nothing of this one's length
            self.reach = math.inf
        self.place = place
        try:
            return self._prove(self.claim, place)
        except _Unproved as failed:
            if self.finest.enclose(*failed.piece).whole > 0:  # then it was rounding that stood in the way
                return self._prove(self.finest, place)
            raise

    def disprove(self, eps: float, upper: float) -> None:
        """Prove the opposite sign at one step size."""
        try:
            _disprove(self.claim, eps, upper)
        except Rejected:
            _disprove(self.finest, eps, upper)

    def _prove(self, claim: ClaimedRate, place: int) -> int:
        lo, hi, lower = self.claimed.boxes[place]
        waiting, pieces = self._pieces(lo, hi), 0
        while waiting:
            a, b = waiting.pop()
            pieces += 1
            found = claim.enclose(a, b)
            middle = 0.5 * a + 0.5 * b
            _agrees(found, place, 0.0 if a == 0 else middle, lower)
            if a > 0 and found.spread > 0:
                self.reach = _CAUTION * (b - a) * found.spread ** (-1 / self.order)
            if found.whole > 0:
                continue
            if pieces + len(waiting) >= self.most or not a < middle < b:
                raise _Unproved(f"box {place} could not be proved near eps = {middle!r}, in {pieces} pieces", (a, b))
            waiting += [(middle, b), (a, middle)]
        return pieces

    def _pieces(self, lo: float, hi: float) -> list[tuple[float, float]]:
        # The last first. The remainder of a proof of order K grows with the K-th power of the width.
        number = 1 if lo == 0 else min(math.ceil((hi - lo) / self.reach), max(self.most // 2, 1))
        ends = [lo, *(lo + (hi - lo) * (part / number) for part in range(1, number)), hi]
        if any(not a < b for a, b in pairwise(ends)):
            ends = [lo, hi]
        return list(pairwise(ends))[::-1]


def _agrees(found: Enclosed, place: int, eps: float, lower: float) -> None:
    if not found.at_point.is_finite():
        raise Rejected(f"box {place}: nothing finite can be said at eps = {eps!r}")
    if found.at_point < 0:
        raise Rejected(f"box {place} claims a positive rate, but at eps = {eps!r} it is negative")
    if found.at_point < arb(lower):
        raise Rejected(f"box {place} claims a rate of at least {lower!r}, but at eps = {eps!r} it is smaller")


def _disprove(claim: ClaimedRate, at: float, upper: float) -> None:
    value = claim.enclose(at, at).at_point
    if not value < 0:
        raise Rejected(f"the change of sign is claimed at eps = {at!r}, but the value there is not proved negative")
    if value > arb(upper):
        raise Rejected(f"the value at eps = {at!r} is claimed to be at most {upper!r}, but it is larger")
