"""The search for a certificate, and the networks that come with the package."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path

from subtx_toy.certify.balls.gemm import check_products, kernel, one_thread
from subtx_toy.certify.certificate import ProvedRange
from subtx_toy.certify.closed_form import closed_form
from subtx_toy.certify.description import Description
from subtx_toy.certify.march import march
from subtx_toy.certify.observed import FirstChange, observe
from subtx_toy.certify.quantities import Quantity
from subtx_toy.settings.certificate import MAX_BOXES
from subtx_toy.store.record import versions

_FOLDER = Path(__file__).with_name("problems")


def names() -> list[str]:
    """Return the names that stand for a file of the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def path_of(reference: str) -> str:
    """Return the file of a packaged name, or the reference as it is."""
    return str(_FOLDER / f"{reference}.toml") if reference in names() else reference


ORDER = 3
"""Of Taylor's theorem where the network is smooth: 2 to 4 take about as long, measured in docs/certificates.md."""


def find_range(
    described: Description,
    *,
    eps_max: float | None = None,
    order: int | None = None,
    max_boxes: int = MAX_BOXES,
    progress: Callable[[float], None] = lambda _: None,
) -> ProvedRange:
    """Search how far the quantity of a description is provably positive, for every eps in (0, eps_certified].

    The search ends at ``eps_max`` or the cap 1000 / ||dT||. ``order`` >= 2 is that of Taylor's theorem; relu networks
    have 1. ``progress`` is called with the share of the cap that is proved.
    """
    one_thread()
    check_products()
    cap = described.cap() if eps_max is None else min(eps_max, described.cap())
    began = time.process_time()
    proof = Quantity(described)
    degree = proof.order(ORDER if order is None else order)
    found = march(lambda box: proof.rate(box, degree), cap=cap, max_boxes=max_boxes, progress=progress)
    seconds = time.process_time() - began
    closed, closed_reason = closed_form(proof, cap=cap)
    if closed is not None and closed > found.eps:
        # Both are proofs; the boxes are what the file carries.
        closed, closed_reason = None, f"beyond what the boxes prove ({closed!r}), so the certificate does not carry it"
    if found.refuted:
        seen = FirstChange(0.0, "the claim fails at every small enough eps")
    elif found.eps < cap:
        seen = observe(described, start=found.eps, cap=cap)
    else:
        seen = FirstChange(None, "the sign is proved up to the cap")
    return ProvedRange(
        described=described,
        eps_certified=found.eps,
        eps_closed=closed,
        closed_reason=closed_reason,
        eps_one_box=found.one_box,
        eps_observed=seen.eps,
        observed_reason=seen.reason,
        cap=cap,
        boxes=found.boxes,
        negative=found.negative,
        reason=found.reason,
        seconds=seconds,
        boxes_tried=found.tried,
        order=degree,
        software={**versions("subtx_toy", "numpy", "python"), "blas": kernel(), "processor": platform.machine()},
    )
