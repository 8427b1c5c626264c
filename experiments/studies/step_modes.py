"""The eigenvalues of G that decide how far plain gradient descent gets on the reference protocol's network.

    python experiments/studies/step_modes.py --seeds 0:5

For each seed: the largest eigenvalues of G at the shared init on 1,000 noise inputs, from 24 products with G, and the
measure of a trained teacher's displacement on the spectrum. Writes docs/results/many-steps/modes.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from subtx_toy.data import load
from subtx_toy.data.dataset import Dataset
from subtx_toy.files.atomic import replacing
from subtx_toy.protocols.distillation import setup_of, teach
from subtx_toy.protocols.prediction import student_problem
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.seeds import parse_seeds
from subtx_toy.theory.lanczos import leading_eigenvalues, teacher_measure
from subtx_toy.training.phase import HeldOut

TARGET = Path(__file__).parents[2] / "docs/results/many-steps/modes.json"
NUM_INPUTS, NUM_EIGENVALUES, NUM_PRODUCTS = 1_000, 6, 24


def modes(config: RunConfig, dataset: Dataset, *, seed: int) -> dict[str, Any]:
    """Return one seed's leading eigenvalues with their residuals, and the quadrature of its teacher's measure."""
    setup = setup_of(config, dataset, seed=seed)
    teacher = teach(config, dataset, setup, HeldOut(setup, dataset))
    problem = student_problem(config, dataset, teacher, seed=seed)
    problem = replace(problem, inputs=problem.inputs[:NUM_INPUTS])
    found = leading_eigenvalues(problem, NUM_EIGENVALUES, num_steps=NUM_PRODUCTS)
    points, components = teacher_measure(problem)
    return {
        "seed": seed,
        "eigenvalues": list(found.values),
        "residuals": list(found.residuals),
        "points": points.tolist(),
        "components": components.tolist(),
    }


def main() -> None:
    """Run every seed and write the document."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", default="0:5")
    seeds = parse_seeds(options.parse_args().seeds)
    config = RunConfig(students="student_aux")
    dataset = load(config.dataset, num_train=config.num_train, num_test=config.num_test)
    found = [modes(config, dataset, seed=seed) for seed in seeds]
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "config": config.model_dump(),
        "num_inputs": NUM_INPUTS,
        "dataset_sha256": dataset.sha256,
        "seeds": found,
    }
    with replacing(TARGET) as file:
        file.write((json.dumps(document, indent=1) + "\n").encode())
    print(TARGET)


if __name__ == "__main__":
    main()
