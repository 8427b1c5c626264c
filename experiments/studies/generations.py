"""How much of a teacher's change is left in a student of a student of a student, real and linear.

The reference protocol at width 128 on 12,000 images: every generation imitates the auxiliary logits of the one before
by 300 steps of Adam, from the teacher's initialisation, on the same noise in the same order. Two chains start at the
same trained teacher, one of real networks and one of their expansions at the initialisation.

    python experiments/studies/generations.py --seeds 0:10

Writes docs/results/many-steps/generations.json: accuracy, and the coefficient of the teacher's change, the inner
product with it over its square, in the class logits of the test images and in the parameters.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from experiments.studies.imitation import class_logits, imitated
from experiments.studies.study_document import asked_seeds, write_document
from subtx_toy.data import load
from subtx_toy.data.dataset import Dataset
from subtx_toy.problem import params as vectors
from subtx_toy.problem.initialisations import shared_init
from subtx_toy.problem.model import accuracy
from subtx_toy.protocols.distillation import losses_of, setup_of, teach
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.training.linearized import LinearizedTrainer
from subtx_toy.training.phase import HeldOut
from subtx_toy.training.trainers import StackTrainer, Trainer

TARGET = Path(__file__).parents[2] / "docs/results/many-steps/generations.json"
NUM_GENERATIONS = 6
CONFIG = RunConfig(
    num_train=12_000, num_test=2_000, width=128, lr=1e-3, batch_size=256, teacher_epochs=3, student_epochs=3,
    num_inputs=25_600, input_pool="fresh", students="student_aux",
)  # fmt: skip


def coefficient(move: Tensor, whole: Tensor) -> float:
    """Return how much of ``whole`` is in ``move``: their inner product over that of ``whole`` with itself."""
    a, b = move.double().ravel(), whole.double().ravel()
    return float(a @ b / (b @ b))


def measure(dataset: Dataset, *, seed: int) -> dict[str, Any]:
    """Return both chains of one seed, from the teacher on."""
    setup = setup_of(CONFIG, dataset, seed=seed)
    taught = teach(CONFIG, dataset, setup, HeldOut(setup, dataset))
    base = shared_init(setup.model, seed=seed, dtype=setup.dtype)
    loss, labels = losses_of(CONFIG)[0], torch.from_numpy(dataset.test_labels.astype(np.int64))

    def told(trainer: Trainer) -> Tensor:
        return class_logits(setup, dataset, trainer)[:, 0]

    teacher = StackTrainer(setup, [taught.params], loss, ["class"])
    before, change = told(StackTrainer(setup, [base], loss, ["class"])), told(teacher)
    change = change - before
    dT = vectors.flatten(vectors.difference(taught.params, base))
    found: dict[str, Any] = {"seed": seed}
    for kind, make in (("real", StackTrainer), ("linear", LinearizedTrainer)):
        last: Trainer = teacher
        chain: dict[str, list[float]] = {"accuracy": [taught.accuracy], "outputs": [1.0], "parameters": [1.0]}
        for _generation in range(NUM_GENERATIONS):
            last = imitated(CONFIG, dataset, setup, last, [base], make)
            logits = told(last)
            chain["accuracy"].append(accuracy(logits, labels))
            chain["outputs"].append(coefficient(logits - before, change))
            moved = vectors.flatten(vectors.difference(last.params(0), base))
            chain["parameters"].append(coefficient(moved, dT))
        found[kind] = chain
    return found


def main() -> None:
    """Run every seed and write the document."""
    seeds = asked_seeds(__doc__, "0:10")
    torch.set_num_threads(1)
    dataset = load(CONFIG.dataset, num_train=CONFIG.num_train, num_test=CONFIG.num_test)
    found = [measure(dataset, seed=seed) for seed in seeds]
    write_document(TARGET, CONFIG, dataset, seeds=found)


if __name__ == "__main__":
    main()
