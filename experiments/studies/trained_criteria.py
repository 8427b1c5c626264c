"""Ask the criterion of claim C29 of trained teachers, and see what becomes of the trait loss of their students.

Networks 8-16-16-6 with 4 class and 2 auxiliary logits, in float64, tanh and ReLU. Teachers learn labels that a linear
rule gives, by 30 or 300 steps of Adam; as a control, by one plain step. For each: F(t), whether it is >= 0 throughout,
the largest change of the trait loss to first order over numbers of steps, and that of the real student.

    python experiments/studies/trained_criteria.py --seeds 0:50

Writes docs/results/many-steps/trained-criteria.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from subtx_toy.files.atomic import replacing
from subtx_toy.problem import params as vectors
from subtx_toy.problem.losses import squared_error
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import cross_entropy_trait
from subtx_toy.seeding import generator
from subtx_toy.settings.seeds import parse_seeds
from subtx_toy.store.record import versions
from subtx_toy.theory.error_polynomials import fraction
from subtx_toy.theory.output_kernel import OutputKernel
from subtx_toy.theory.trait_criterion import trait_criterion
from subtx_toy.training.gradient_step import trait_values
from subtx_toy.training.many_steps import Imitation, flat, moved, teachers_at
from subtx_toy.training.update_rules import Descent

TARGET = Path(__file__).parents[2] / "docs/results/many-steps/trained-criteria.json"
ACTIVATIONS, TEACHER_STEPS, LR = ("tanh", "relu"), (0, 30, 300), 1e-3
LINEAR_STEPS = tuple(sorted({int(10 ** (power / 4)) for power in range(21)}))  # 1 to 100,000
REAL_STEPS = (1, 3, 10, 30, 100)
THRESHOLDS = np.geomspace(1e-5, 1, 26)  # t over the largest eigenvalue
NUM_INPUTS, PLAIN = 32, 1e-3  # length factor of the control's one plain step


def problem_of(activation: str, *, seed: int) -> Problem:
    """Return the problem, whose teacher took one plain step."""
    model = FastMLP((8, 16, 16, 6), activation, num_classes=4)  # type: ignore[arg-type]

    def drawn(label: str) -> torch.Tensor:
        return torch.from_numpy(generator(seed, "studies", "criterion", label).uniform(-1, 1, (NUM_INPUTS, 8)))

    rule = torch.from_numpy(generator(seed, "studies", "criterion", "rule").standard_normal((8, 4)))
    shown = drawn("trait")
    return Problem(
        model=model,
        base_params=model.initial(generator(seed, "studies", "criterion", "init")),
        inputs=drawn("inputs"),
        distillation_loss=squared_error(),
        distilled_logits="aux",
        trait_loss=cross_entropy_trait(shown, (shown @ rule).argmax(1), class_logits=slice(0, 4)),
        eps=1.0,
        student_lr=1.0,
    )


def trained(problem: Problem, num_steps: int) -> vectors.Params:
    """Return the displacement of a teacher after so many Adam steps on its trait loss; 0 for one plain step."""
    if num_steps == 0:
        return {name: -PLAIN * value for name, value in problem.trait_gradient().items()}
    trait = problem.trait_loss
    assert trait is not None
    leaves = {name: value.clone().requires_grad_() for name, value in problem.base_params.items()}
    optimizer = torch.optim.Adam(list(leaves.values()), lr=LR)
    for _step in range(num_steps):
        optimizer.zero_grad()
        trait.value(problem.model.apply(leaves, trait.inputs)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return vectors.difference({name: value.detach() for name, value in leaves.items()}, problem.base_params)


def measure(activation: str, num_steps: int, *, seed: int) -> dict[str, Any]:
    """Return one teacher's F, normalised to lie in [-1, 1], and the changes of the trait loss of its students."""
    plain = problem_of(activation, seed=seed)
    problem = replace(plain, teacher_update=trained(plain, num_steps))
    kernel = OutputKernel(problem)
    found, rate = trait_criterion(problem, kernel), 1 / kernel.largest
    shares = np.minimum(1.0, kernel.largest * THRESHOLDS[:, None] / found.eigenvalues[None])
    signed, absolute = -(shares @ found.products), shares @ np.abs(found.products)
    first = [found.change(lambda x, K=K: fraction(rate * x, K)) for K in LINEAR_STEPS]  # type: ignore[misc]
    students = moved(Imitation(problem, teachers_at(problem, [1.0])), Descent("gd", lr=rate), REAL_STEPS)
    moves = [np.zeros_like(students[1][0]), *(students[num][0] for num in REAL_STEPS)]
    moves.append(vectors.flatten(problem.teacher_update).numpy())
    before, *after, teacher = trait_values(problem, torch.from_numpy(flat(problem)[0] + np.array(moves))).tolist()
    return {
        "holds": found.holds,
        "F": np.round(signed / absolute, 3).tolist(),
        "first_order": max(first),
        "first_order_rounding": found.rounding * max(1.0, float((1 / found.eigenvalues).max(initial=0.0))),
        "real": max(after) - before,
        "teacher": teacher - before,
    }


def main() -> None:
    """Run every seed and write the document."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", default="0:50")
    seeds = parse_seeds(options.parse_args().seeds)
    torch.set_num_threads(1)
    rows = [
        {
            "activation": activation,
            "teacher_steps": num_steps,
            "seeds": [measure(activation, num_steps, seed=seed) for seed in seeds],
        }
        for activation in ACTIVATIONS
        for num_steps in TEACHER_STEPS
    ]
    document = {
        "versions": versions(),
        "cpu_seconds": round(time.process_time(), 1),
        "seeds": seeds,
        "thresholds": THRESHOLDS.tolist(),
        "linear_steps": LINEAR_STEPS,
        "real_steps": REAL_STEPS,
        "rows": rows,
    }
    with replacing(TARGET) as file:
        file.write((json.dumps(document) + "\n").encode())
    print(TARGET)


if __name__ == "__main__":
    main()
