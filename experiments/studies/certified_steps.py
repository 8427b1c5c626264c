"""Prove how large a teacher's step may be for 1 to 5 plain steps of the student, on small-net.

Proved is that the student's displacement has a positive inner product with the teacher's after each of its first K
steps, for every eps up to the end, every rounding error included. The control has the student at ten other
initialisations, where nothing holds the sign. Four other networks of the kind, and 20 and 100 steps, go less far. For
comparison, boxes are carried from step to step.

    python experiments/studies/certified_steps.py

Writes docs/results/many-steps/certified-steps.json.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from subtx_toy.certify.balls import Ball
from subtx_toy.certify.balls.ball import zeros
from subtx_toy.certify.description import describe
from subtx_toy.certify.jets import Box, divided, from_terms
from subtx_toy.certify.many_steps.search import ORDER, ProvedSteps, prove_steps
from subtx_toy.certify.many_steps.shadow import ShadowedStudent
from subtx_toy.certify.search import path_of
from subtx_toy.claims.instance import given
from subtx_toy.files.atomic import replacing
from subtx_toy.problem import params as vectors
from subtx_toy.problem.initialisations import cross_model_init
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.seeding import generator
from subtx_toy.store.record import versions
from subtx_toy.theory.curvature import ggn_spectrum
from subtx_toy.theory.output_kernel import OutputKernel
from subtx_toy.training.gradient_step import student_step

TARGET = Path(__file__).parents[2] / "docs/results/many-steps/certified-steps.json"
STEPS, STUDENT_LR, BOXES = (1, 2, 3, 4, 5), 0.75, 500
OTHER_INITS, OTHER_NETS = range(10), range(1, 5)
CONTROL_STEPS, CONTROL_EPS, CONTROL_BOXES = 5, 0.5, 40
LARGER, LARGER_LR, LARGER_STEPS, LARGER_EPS, LARGER_BOXES = "paper-net-tanh", 0.45, 5, 0.5, 30
EXPANDED, POWERS = (0.3, 10.0, 300.0), 400  # step sizes, products of the power iteration
FURTHER = ((20, 5.0, 80), (100, 0.25, 12))  # steps, where to end, boxes at most


def packaged(name: str) -> ProblemSpec:
    """Return the description of a packaged network."""
    spec = given(path_of(name)).spec
    assert spec is not None, "it is a drawn one"
    return spec


def small_net(seed: int = 0) -> Problem:
    """Return the packaged network, or one of the same kind with another seed."""
    return replace(packaged("small-net"), seed=seed).build()


def larger() -> dict[str, Any]:
    """Return what is found of a network of the reference protocol's size."""
    spec = packaged(LARGER)
    described = describe(spec.build(), "alignment", student_lr=LARGER_LR)
    proved = prove_steps(described, LARGER_STEPS, eps_max=LARGER_EPS, max_boxes=LARGER_BOXES)
    reach = LARGER_LR * OutputKernel(spec.build_fast()).largest
    size = sum(value.size for name, value in described.arrays.items() if name.startswith("layers."))
    return {"network": LARGER, "reach": reach, "num_parameters": size} | found(proved)


def largest_eigenvalue(problem: Problem) -> float:
    """Return that of G."""
    return float(ggn_spectrum(problem)[0][-1])


def found(proved: ProvedSteps) -> dict[str, Any]:
    """Return what a search found, as JSON values."""
    values = dict(vars(proved))
    return values | {
        "boxes": [[box.lo, box.hi, box.lower] for box in proved.boxes],
        "negative": None if proved.negative is None else list(proved.negative),
        "seconds": round(proved.seconds, 1),
    }


def limits(student: ShadowedStudent, proved: ProvedSteps) -> list[dict[str, Any]]:
    """Return what the proof rests on in the first box, the one in the middle and the last."""
    rows = []
    for place in (0, len(proved.boxes) // 2, len(proved.boxes) - 1):
        box = proved.boxes[place]
        shadow = student.over(Box(box.lo, box.hi), proved.order)
        rows.append(
            {
                "lo": box.lo,
                "hi": box.hi,
                "radius": shadow.radius,
                "alignment": [float(one) for one in shadow.rate.mid],
                "alignment_radius": [float(one) for one in shadow.rate.rad],
                "defects": shadow.defects,
                "expansions": [one.factor for one in shadow.expansions],
                "gauss_newton": [one.gauss_newton for one in shadow.expansions],
                "residual": [one.residual for one in shadow.expansions],
            }
        )
    return rows


def carried(student: ShadowedStudent, hi: float, num_steps: int) -> tuple[float, list[float]]:
    """Carry the remainder over (0, hi] from step to step as a box, the plain way: no path, no radius.

    Return the lower end of the alignment over eps, and the norm of the remainder's radii after every step.
    """
    box, lr = Box(0.0, hi), student.described.student_lr
    teacher = student.ray.outputs(box, ORDER).map(student.student.answer, box)
    at = [from_terms([Ball.exact(one), *[zeros(one.shape)] * ORDER], box) for one in student.start]
    sizes, aligned = [], []
    for _ in range(num_steps):
        layers = list(zip(at[::2], at[1::2], strict=True))
        update = student.student.passes(layers, teacher, box, agree=True).update
        moves = [jet for layer in update for jet in layer]
        at = [
            from_terms([a + b.scaled(lr) for a, b in zip(one.terms, move.terms, strict=True)], box)
            for one, move in zip(at, moves, strict=True)
        ]
        sizes.append(float(np.sqrt(sum(float((one.box[-1].rad ** 2).sum()) for one in at))))
    for k in range(ORDER + 1):
        total = zeros((1,))
        for one, rate in zip(at, student.direction, strict=True):
            total = total + (one.terms[k] * rate).sum()
        aligned.append(total)
    return float(divided(aligned, box, 1).lower()[0]), sizes


def longest_carried(student: ShadowedStudent, num_steps: int) -> float:
    """Return the longest box from 0 that is proved in this way, to 1 %."""
    proved, failed = 1e-6, 4.0
    with np.errstate(all="ignore"):
        if not carried(student, proved, num_steps)[0] > 0:
            return 0.0
        while failed > 1.01 * proved:
            middle = math.sqrt(proved * failed)
            proved, failed = (middle, failed) if carried(student, middle, num_steps)[0] > 0 else (proved, middle)
    return proved


def expansions(problem: Problem, eps: float) -> dict[str, float]:
    """Return ||I - student_lr H|| at the student of one step: by power iteration, and the bound of the proof."""
    described = describe(problem, "alignment", student_lr=STUDENT_LR)
    bound = ShadowedStudent(described, num_steps=2).over(Box(eps, eps), 2).expansions[0]
    targets = problem.distilled(problem.teacher_params(eps))
    student = vectors.axpy(STUDENT_LR, student_step(problem, eps), problem.base_params)

    def loss(flat: torch.Tensor) -> torch.Tensor:
        return problem.distillation_loss.mean(problem.distilled(vectors.unflatten(flat, problem.base_params)), targets)

    gradient, at = torch.func.grad(loss), vectors.flatten(student)

    def extreme(shift: float) -> float:
        vector = torch.from_numpy(generator(0, "certified steps").standard_normal(len(at)))
        for _ in range(POWERS):
            vector = vector / vector.norm()
            product = torch.func.jvp(gradient, (at,), (vector,))[1] - shift * vector
            value, vector = float(vector @ product), product
        return value + shift

    top = extreme(0.0)
    norm = max(abs(1 - STUDENT_LR * one) for one in (top, extreme(top)))
    return {"eps": eps, "norm": norm, "bound": bound.factor, "residual": bound.residual}


def main() -> None:
    """Search, and write the document."""
    torch.set_num_threads(1)
    problem = small_net()
    described = describe(problem, "alignment", student_lr=STUDENT_LR)
    direction = [value.ravel() for name, value in described.arrays.items() if name.startswith("direction.")]
    rows = []
    for num_steps in STEPS:
        proved = prove_steps(described, num_steps, max_boxes=BOXES)
        rows.append(found(proved) | {"limits": limits(ShadowedStudent(described, num_steps=num_steps), proved)})
        print(num_steps, proved.eps_certified, proved.reason, f"{proved.seconds:.0f} s", flush=True)
    strangers = []
    for seed in OTHER_INITS:
        start = cross_model_init(problem.model, seed=seed, dtype=torch.float64)  # type: ignore[arg-type]
        proved = prove_steps(
            described, CONTROL_STEPS, start=start, eps_max=CONTROL_EPS, max_boxes=CONTROL_BOXES
        )  # fmt: skip
        strangers.append({"seed": seed} | found(proved))
    print([one["eps_certified"] for one in strangers], flush=True)
    others = []
    for seed in OTHER_NETS:
        other = small_net(seed)
        proved = prove_steps(describe(other, "alignment", student_lr=STUDENT_LR), CONTROL_STEPS, eps_max=CONTROL_EPS)
        others.append({"seed": seed, "reach": STUDENT_LR * largest_eigenvalue(other)} | found(proved))
    print([one["eps_certified"] for one in others], flush=True)
    further = []
    for num_steps, eps_max, boxes in FURTHER:
        proved = prove_steps(described, num_steps, eps_max=eps_max, max_boxes=boxes)
        further.append(found(proved) | {"limits": limits(ShadowedStudent(described, num_steps=num_steps), proved)})
        print(num_steps, proved.eps_certified, proved.reason, f"{proved.seconds:.0f} s", flush=True)
    document = {
        "versions": versions(),
        "order": ORDER,
        "student_lr": STUDENT_LR,
        "reach": STUDENT_LR * largest_eigenvalue(problem),
        "direction_norm": float(np.linalg.norm(np.concatenate(direction))),
        "rows": rows,
        "other_inits": strangers,
        "other_nets": others,
        "further": further,
        "larger": larger(),
        "carried": [
            {"num_steps": one, "eps_one_box": longest_carried(ShadowedStudent(described, num_steps=1), one)}
            for one in STEPS
        ],
        "carried_sizes": carried(ShadowedStudent(described, num_steps=1), 1e-3, STEPS[-1])[1],
        "expansions": [expansions(problem, eps) for eps in EXPANDED],
        "cpu_seconds": round(time.process_time(), 1),
    }
    with replacing(TARGET) as file:
        file.write((json.dumps(document) + "\n").encode())
    print(TARGET)


if __name__ == "__main__":
    main()
