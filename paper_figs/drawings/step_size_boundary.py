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
from subtx_toy.certify.observed import PlainQuantity
from subtx_toy.certify.quantities import Quantity
from subtx_toy.problem.sign_change import sign_changes

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
    student_lr: Sequence[float],
    *,
    max_boxes: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Boundary:
    """Search every row of the plane by itself: alignment's cap, one step size of the student after the other.

    Raises:
        InputError: as the search of one certificate does, if products of float64 matrices are not what the bounds take
            them for.
    """
    one_thread()
    check_products()
    cap, rows = described.cap(), []
    for done, lr in enumerate(student_lr):
        own = dataclasses.replace(described, student_lr=float(lr))
        proof = Quantity(own)
        order = proof.order(3)
        closed, _ = closed_form(proof, cap=cap)
        found = march(lambda box, proof=proof, order=order: proof.rate(box, order), cap=cap, max_boxes=max_boxes)  # type: ignore[misc]
        changes = sign_changes(PlainQuantity(own), np.geomspace(1e-4 * cap, cap, _SCAN))
        rows.append((np.nan if closed is None else closed, found.eps, next(changes, (cap, 0.0, 0.0))[0]))
        progress(done + 1)
    closed_ends, certified, observed = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return Boundary(described.quantity, np.asarray(student_lr, np.float64), closed_ends, certified, observed, cap)
