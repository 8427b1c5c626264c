"""Fit the order of what linear theory leaves out of K plain steps, on small networks and a ladder of eps.

Ten tanh networks 8-16-16-6 with 4 class and 2 auxiliary logits, in float64, whose teacher took one step of length eps.
What is left of the student's displacement after taking eps h_K(G) dT away is of order eps^2 (claim C23). Two controls:
a prediction that is 1 % too long, and a student from another initialisation.

    python experiments/studies/remainder_orders.py --seeds 0:10

Writes docs/results/many-steps/remainder-orders.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from subtx_toy.files.atomic import replacing
from subtx_toy.problem import params as vectors
from subtx_toy.problem.initialisations import cross_model_init
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.settings.seeds import parse_seeds
from subtx_toy.store.record import versions
from subtx_toy.theory.error_polynomials import fraction
from subtx_toy.theory.output_kernel import OutputKernel
from subtx_toy.theory.step_predictions import EPS_LADDER, fitted_order
from subtx_toy.training.many_steps import Imitation, moved, teachers_at
from subtx_toy.training.update_rules import Descent, OptimizerState

TARGET = Path(__file__).parents[2] / "docs/results/many-steps/remainder-orders.json"
STEPS, REACHES, LOSSES = (1, 3, 10, 30, 100), (0.5, 1.0, 1.9), {"squared_error": "aux", "kl": "all"}
LADDER = EPS_LADDER[:8]  # lengths of the teacher's step
PLANTED = 1.01


def measure(loss: str, reach: float, *, seed: int) -> list[dict[str, Any]]:
    """Return remainders and fitted orders of one network for every number of steps of reach / lambda_max."""
    problem = ProblemSpec(
        hidden=(16, 16), input_dim=8, num_classes=4, num_aux=2, inputs="uniform", num_inputs=32, num_trait_inputs=32,
        trait="cross_entropy", loss=loss, distilled_logits=LOSSES[loss], seed=seed,
    ).build_fast()  # fmt: skip
    kernel = OutputKernel(problem)
    rate, dT = reach / kernel.largest, vectors.flatten(problem.teacher_update)
    eps = [length / float(dT.norm()) for length in LADDER]
    teachers = teachers_at(problem, eps)
    other = cross_model_init(problem.model, seed=seed, dtype=torch.float64)  # type: ignore[arg-type]
    gap = (vectors.flatten(other) - vectors.flatten(problem.base_params)).numpy()
    away = OptimizerState.at(np.repeat(gap[None], len(eps), axis=0))
    descent = Descent("gd", lr=rate)
    students = moved(Imitation(problem, teachers), descent, STEPS)
    strangers = moved(Imitation(problem, teachers), descent, STEPS, start=away)
    rows = []
    for num_steps in STEPS:
        one = kernel.applied(lambda x, K=num_steps: fraction(rate * x, K), kernel.seen(dT)).numpy()  # type: ignore[misc]
        predicted = np.array(eps)[:, None] * one
        sizes = np.linalg.norm(predicted, axis=1).tolist()

        def order(left: np.ndarray, sizes: list[float] = sizes) -> float:
            return round(fitted_order(LADDER, np.linalg.norm(left, axis=1).tolist(), scales=sizes).slope, 4)

        rows.append(
            {
                "num_steps": num_steps,
                "remainder": [float(f"{size:.4g}") for size in np.linalg.norm(students[num_steps] - predicted, axis=1)],
                "order": order(students[num_steps] - predicted),
                "planted": order(students[num_steps] - PLANTED * predicted),
                "other_init": order(strangers[num_steps] - gap - predicted),
                "away": int((students[num_steps] @ dT.numpy() < 0).sum()),
            }
        )
    return rows


def main() -> None:
    """Run every seed and write the document."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", default="0:10")
    seeds = parse_seeds(options.parse_args().seeds)
    torch.set_num_threads(1)
    rows = [
        {"loss": loss, "reach": reach, "seeds": [measure(loss, reach, seed=seed) for seed in seeds]}
        for loss in LOSSES
        for reach in REACHES
    ]
    document = {
        "versions": versions(),
        "cpu_seconds": round(time.process_time(), 1),
        "seeds": seeds,
        "lengths": LADDER,
        "rows": rows,
    }
    with replacing(TARGET) as file:
        file.write((json.dumps(document) + "\n").encode())
    print(TARGET)


if __name__ == "__main__":
    main()
