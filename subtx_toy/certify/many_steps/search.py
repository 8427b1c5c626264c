"""The search: up to which step size of the teacher a student's first steps are proved to be on the teacher's side."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from subtx_toy.certify.activations import ACTIVATIONS
from subtx_toy.certify.balls import Ball
from subtx_toy.certify.balls.gemm import check_products, one_thread
from subtx_toy.certify.description import Description
from subtx_toy.certify.jets import Box
from subtx_toy.certify.many_steps.shadow import ShadowedStudent
from subtx_toy.certify.march import March, ProvedBox, at_start, march
from subtx_toy.errors import InputError
from subtx_toy.problem.params import Params
from subtx_toy.settings.certificate import MAX_BOXES
from subtx_toy.settings.limits import MAX_ORDER

ORDER = 4
"""Of Taylor's theorem: longer boxes than of order 3 at less than twice the time, and hardly shorter than of order 5."""


@dataclass(frozen=True)
class ProvedSteps:
    """For every eps in (0, ``eps_certified``] the alignment is positive after each of ``num_steps`` plain steps.

    ``eps_certified`` is 0 if nothing is proved. The ``boxes`` go there from 0 without gaps, each with a lower bound of
    <theta_k - theta_0, dT> / eps; ``eps_one_box`` is the end of the first, the longest from 0. ``negative`` is a step
    size just beyond, at which the alignment is proved negative after some step, with the bound. ``reason`` says why the
    search ended, ``seconds`` are of CPU.
    """

    num_steps: int
    student_lr: float
    eps_certified: float
    eps_one_box: float
    cap: float
    boxes: list[ProvedBox]
    boxes_tried: int
    negative: tuple[float, float] | None
    reason: str
    order: int
    seconds: float


def prove_steps(
    described: Description,
    num_steps: int,
    *,
    start: Params | None = None,
    eps_max: float | None = None,
    order: int = ORDER,
    max_boxes: int = MAX_BOXES,
    progress: Callable[[float], None] = lambda _: None,
) -> ProvedSteps:
    """Search how far <theta_k - theta_0, dT> > 0 is provable after 1 ... ``num_steps`` plain steps, rounding included.

    The steps are theta_(k+1) = theta_k - student_lr grad of the distillation loss, in real arithmetic, for the exact
    float64 numbers of an ``alignment`` description. No file is written that ``check`` could prove again.

    Args:
        described: of a perceptron whose activation is smooth.
        num_steps: >= 1.
        start: the student's own initialisation, if it is not the teacher's. There the alignment does not vanish with
            eps, and the ``lower`` of a box is not divided by eps.
        eps_max: stop there, if that is before the cap 1000 / ||dT||.
        order: of Taylor's theorem, >= 2.
        max_boxes: attempts at most, >= 1.
        progress: called with the share of the cap that is proved.

    Raises:
        InputError: for what is no such description or setting.
    """
    InputError.gather(list(_obstacles(described, num_steps, start, eps_max, order, max_boxes)))
    one_thread()
    check_products()
    cap = described.cap() if eps_max is None else min(eps_max, described.cap())
    began = time.process_time()
    arrays = None if start is None else {name: value.double().numpy() for name, value in start.items()}
    student = ShadowedStudent(described, num_steps=num_steps, start=arrays)

    def rate(box: Box) -> Ball:
        return student.over(box, order).rate

    if np.min(rate(Box(0.0, 0.0)).lower()) > 0:
        found = march(rate, cap=cap, max_boxes=max_boxes, progress=progress)
    else:  # no box is tried in vain
        refuted, reason = at_start(rate)
        found = March(refuted=refuted, reason=reason)
    return ProvedSteps(
        num_steps=num_steps,
        student_lr=described.student_lr,
        eps_certified=found.eps,
        eps_one_box=found.one_box,
        cap=cap,
        boxes=found.boxes,
        boxes_tried=found.tried,
        negative=found.negative,
        reason=found.reason,
        order=order,
        seconds=time.process_time() - began,
    )


def _obstacles(
    described: Description, num_steps: int, start: Params | None, eps_max: float | None, order: int, max_boxes: int
) -> list[str]:
    faults = []
    if described.quantity != "alignment":
        faults.append(f"quantity: expected 'alignment', which many steps are proved of, got {described.quantity!r}")
    if described.layers:
        faults.append("model: expected a perceptron for many steps, got a chain of layers")
    elif described.num_layers > 1 and not ACTIVATIONS[described.activation].smooth:
        faults.append(f"activation: expected one without kinks for many steps, got {described.activation!r}")
    if num_steps < 1:
        faults.append(f"num_steps: expected an integer >= 1, got {num_steps}")
    if not 2 <= order <= MAX_ORDER:
        faults.append(f"order: expected an integer from 2 to {MAX_ORDER}, got {order}")
    if max_boxes < 1:
        faults.append(f"max_boxes: expected an integer >= 1, got {max_boxes}")
    if eps_max is not None and not 0 < eps_max < np.inf:
        faults.append(f"eps_max: expected a finite number > 0, got {eps_max}")
    for name, value in described.arrays.items():
        if start is not None and name.startswith("layers."):
            shape = list(start[name].shape) if name in start else None
            if shape != list(value.shape):
                faults.append(f"start: expected {name} of shape {list(value.shape)}, got {shape}")
    return faults
