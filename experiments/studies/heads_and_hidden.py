"""Which part of the initialisation a student has to share, for real students and for linear ones.

A teacher of 784-64-64-(10 + m) learns MNIST. Students imitate its m auxiliary logits on fresh noise by 400 steps of
Adam. They start at the teacher's initialisation, but for one part that is drawn again: the first layer, both hidden
layers, the class head or the auxiliary head. A linear student is the expansion of the network at its own start.

    python experiments/studies/heads_and_hidden.py --seeds 0:5

Writes docs/results/many-steps/heads-and-hidden.json.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from experiments.studies.imitation import class_logits, imitated
from experiments.studies.study_document import asked_seeds, write_document
from subtx_toy.data import load
from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.initialisations import cross_model_init, shared_init
from subtx_toy.problem.model import accuracy
from subtx_toy.problem.params import Params
from subtx_toy.protocols.distillation import losses_of, setup_of, teach
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.training.linearized import LinearizedTrainer
from subtx_toy.training.phase import HeldOut
from subtx_toy.training.trainers import StackTrainer

TARGET = Path(__file__).parents[2] / "docs/results/many-steps/heads-and-hidden.json"
NUM_AUX = (3, 32, 128)
CONFIG = RunConfig(
    num_train=12_000, num_test=2_000, width=64, init="pytorch", loss="squared_error", lr=1e-3, batch_size=256,
    teacher_epochs=3, student_epochs=4, num_inputs=25_600, input_pool="fresh", students="student_aux",
)  # fmt: skip


def starts(base: Params, other: Params, num_classes: int) -> dict[str, Params]:
    """Return the students' starts: ``base`` with one part taken from ``other``."""
    head = "layers.2."
    heads: dict[str, Params] = {"class head": dict(base), "aux head": dict(base)}
    for name in (f"{head}weight", f"{head}bias"):
        heads["class head"][name] = torch.cat([other[name][:num_classes], base[name][num_classes:]])
        heads["aux head"][name] = torch.cat([base[name][:num_classes], other[name][num_classes:]])
    return {
        "nothing": dict(base),
        "first layer": {name: (other if name.startswith("layers.0.") else base)[name] for name in base},
        "both hidden": {name: (base if name.startswith(head) else other)[name] for name in base},
        **heads,
    }


def measure(dataset: Dataset, *, num_aux: int, seed: int) -> dict[str, Any]:
    """Return the accuracies of one seed: of the teacher, and of real and linear students by the part drawn again."""
    config = CONFIG.model_copy(update={"num_aux": num_aux})
    setup = setup_of(config, dataset, seed=seed)
    taught = teach(config, dataset, setup, HeldOut(setup, dataset))
    teacher = StackTrainer(setup, [taught.params], losses_of(config)[0], ["class"])
    base = shared_init(setup.model, seed=seed, dtype=setup.dtype)
    other = cross_model_init(setup.model, seed=seed, dtype=setup.dtype)
    places = starts(base, other, dataset.num_classes)
    labels = torch.from_numpy(dataset.test_labels.astype(np.int64))
    found: dict[str, Any] = {"teacher": taught.accuracy}
    for kind, make in (("real", StackTrainer), ("linear", LinearizedTrainer)):
        students = imitated(config, dataset, setup, teacher, list(places.values()), make)
        logits = class_logits(setup, dataset, students)
        found[kind] = {name: accuracy(logits[:, at], labels) for at, name in enumerate(places)}
    return found


def main() -> None:
    """Run every seed and write the document."""
    seeds = asked_seeds(__doc__, "0:5")
    torch.set_num_threads(1)
    dataset = load(CONFIG.dataset, num_train=CONFIG.num_train, num_test=CONFIG.num_test)
    rows = [
        {"num_aux": num_aux, "seeds": [measure(dataset, num_aux=num_aux, seed=seed) for seed in seeds]}
        for num_aux in NUM_AUX
    ]
    write_document(TARGET, CONFIG, dataset, seeds=seeds, rows=rows)


if __name__ == "__main__":
    main()
