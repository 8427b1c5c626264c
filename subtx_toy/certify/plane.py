"""The plane of both step sizes: where a claim is bounded, proved and seen to hold, for one network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from subtx_toy.certify.balls.gemm import check_products, one_thread
from subtx_toy.certify.closed_form import closed_form
from subtx_toy.certify.description import Description
from subtx_toy.certify.march import march
from subtx_toy.certify.plain import PlainQuantity
from subtx_toy.certify.quantities import Quantity

_SCAN = 200


@dataclass(frozen=True)
class Boundary:
    """For every ``student_lr``, the largest eps up to which a quantity is positive, ``cap`` at most.

    Attributes:
        quantity: trait-loss or distance.
        student_lr: the rows of the plane, all other arrays are as long.
        closed: by the closed form; nan where there is none.
        certified: proved by boxes.
        observed: before the first change of sign of a scan of 200 points.
        cap: of every search.
    """

    quantity: str
    student_lr: np.ndarray
    closed: np.ndarray
    certified: np.ndarray
    observed: np.ndarray
    cap: float


def boundary(
    described: Description,
    quantity: str,
    student_lr: Sequence[float],
    *,
    max_boxes: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Boundary:
    """Search every row of the plane by itself: alignment's cap, one step size of the student after the other.

    Raises:
        InputError: as ``search.certify`` does, if products of float64 matrices are not what the bounds take them for.
    """
    one_thread()
    check_products()
    cap, rows = described.cap(), []
    for done, lr in enumerate(student_lr):
        own = dataclasses.replace(described, student_lr=float(lr))
        proof = Quantity(own, quantity)
        order = proof.order(3)
        closed, _ = closed_form(proof, cap=cap)
        found = march(lambda box, proof=proof, order=order: proof.rate(box, order), cap=cap, max_boxes=max_boxes)  # type: ignore[misc]
        rows.append((np.nan if closed is None else closed, found.eps, observed(own, quantity, cap=cap)))
        progress(done + 1)
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return Boundary(quantity, np.asarray(student_lr, np.float64), table[:, 0], table[:, 1], table[:, 2], cap)


def observed(described: Description, quantity: str, *, cap: float) -> float:
    """Return the last of 200 logarithmic points before a plain evaluation is negative, 0 if the first one is."""
    plain, last = PlainQuantity(described, quantity), 0.0
    for eps in np.geomspace(1e-4 * cap, cap, _SCAN):
        if not plain(float(eps)) > 0:
            return last
        last = float(eps)
    return last
