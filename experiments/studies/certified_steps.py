"""Prove how large a teacher's step may be for 1 to 5 plain steps of the student, on small-net.

Proved is that the student's displacement has a positive inner product with the teacher's after each of its first K
steps, for every eps up to the end, every rounding error included. The control has the student at ten other
initialisations, where nothing holds the sign. Four other networks of the kind, and 20 and 100 steps, go less far.

    python experiments/studies/certified_steps.py

Writes docs/results/many-steps/certified-steps.json.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from subtx_toy.certify.description import describe
from subtx_toy.certify.jets import Box
from subtx_toy.certify.many_steps.search import ORDER, ProvedSteps, prove_steps
from subtx_toy.certify.many_steps.shadow import ShadowedStudent
from subtx_toy.certify.search import path_of
from subtx_toy.claims.instance import given
from subtx_toy.files.atomic import replacing
from subtx_toy.problem import params as vectors
from subtx_toy.problem.initialisations import cross_model_init
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.store.record import versions
from subtx_toy.theory.curvature import ggn_spectrum
from subtx_toy.training.gradient_step import student_step

TARGET = Path(__file__).parents[2] / "docs/results/many-steps/certified-steps.json"
STEPS, STUDENT_LR, BOXES = (1, 2, 3, 4, 5), 0.75, 500
OTHER_INITS, OTHER_NETS = range(10), range(1, 5)
CONTROL_STEPS, CONTROL_EPS, CONTROL_BOXES = 5, 0.5, 40
EXPANDED, POWERS = (0.3, 10.0, 300.0), 400  # step sizes, products of the power iteration
FURTHER = ((20, 5.0, 80), (100, 0.25, 12))  # steps, where to end, boxes at most


def small_net(seed: int = 0) -> Problem:
    """Return the packaged network, or one of the same kind with another seed."""
    spec = given(path_of("small-net")).spec
    assert spec is not None, "the package describes it"
    return replace(spec, seed=seed).build()


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
        "cpu_seconds": round(time.process_time(), 1),
        "order": ORDER,
        "student_lr": STUDENT_LR,
        "reach": STUDENT_LR * largest_eigenvalue(problem),
        "direction_norm": float(np.linalg.norm(np.concatenate(direction))),
        "rows": rows,
        "other_inits": strangers,
        "other_nets": others,
        "further": further,
        "expansions": [expansions(problem, eps) for eps in EXPANDED],
    }
    with replacing(TARGET) as file:
        file.write((json.dumps(document) + "\n").encode())
    print(TARGET)


if __name__ == "__main__":
    main()
