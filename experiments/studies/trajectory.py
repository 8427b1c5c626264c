"""Where teacher and students are while they learn: distance along the teacher's move and off it, with their accuracy.

    python experiments/studies/trajectory.py docs/results/trajectory.json

Of protocol R on MNIST, one seed, for several numbers of auxiliary logits. With dT the teacher's whole move from its
initialisation and d the move of a net from its own, ``along`` is d . dT / |dT|^2 and ``off`` is |d - along dT| / |dT|.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch

from subtx_toy.data import load
from subtx_toy.data.dataset import Dataset
from subtx_toy.files.atomic import replacing
from subtx_toy.problem.initialisations import cross_model_init, shared_init
from subtx_toy.problem.params import Params
from subtx_toy.protocols.distillation import STUDENTS, run_protocol, setup_of
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read_distillation
from subtx_toy.store.record import versions
from subtx_toy.training.phase import CURVE_IMAGES, HeldOut
from subtx_toy.training.trainers import Trainer

NUM_AUX = (1, 3, 10, 30)
SEED = 0
EARLY = (1, 2, 3, 5, 8, 12, 18, 26, 36, 47)  # steps of the first epoch, which moves fastest
EVERY = 12  # steps, after it


def flat(params: Params) -> torch.Tensor:
    """Return all parameters in one row."""
    return torch.cat([value.reshape(-1) for value in params.values()]).double()


class Watch:
    """Keeps accuracies and parameters of some steps of both phases."""

    def __init__(self, config: RunConfig, dataset: Dataset) -> None:
        setup = setup_of(config, dataset, seed=SEED)
        self.steps = {"teacher": 0, "students": 0}
        self.epoch = {
            "teacher": math.ceil(config.num_train / setup.teacher_batch_size),
            "students": math.ceil(config.num_inputs / setup.batch_size),
        }
        self.held_out = HeldOut(setup, dataset)
        self.base = flat(shared_init(setup.model, seed=SEED, dtype=setup.dtype))
        self.cross = flat(cross_model_init(setup.model, seed=SEED, dtype=setup.dtype))
        self.moves: dict[str, list[torch.Tensor]] = {"teacher": []}
        self.accuracy: dict[str, list[float]] = {"teacher": []}
        self.times: dict[str, list[float]] = {"teacher": [], "students": []}

    def __call__(self, phase: str, trainer: Trainer) -> None:
        """Look after a step."""
        self.steps[phase] += 1
        step, epoch = self.steps[phase], self.epoch[phase]
        if step not in EARLY and step % EVERY and step % epoch:
            return
        self.times[phase].append(step / epoch)
        arms = ["teacher"] if phase == "teacher" else list(STUDENTS)
        for at, (arm, accuracy) in enumerate(zip(arms, self.held_out.accuracies(trainer, CURVE_IMAGES), strict=True)):
            start = self.cross if arm.startswith("cross") else self.base
            self.moves.setdefault(arm, []).append((flat(trainer.params(at)) - start).float())
            self.accuracy.setdefault(arm, []).append(accuracy)


def trajectory(num_aux: int, dataset: Dataset) -> dict[str, Any]:
    """Run the protocol once, and say where every arm was at the steps that are kept; all begin at (0, 0)."""
    config = read_distillation("cloud2025").config.changed({"num_aux": num_aux})
    assert isinstance(config, RunConfig)
    watch = Watch(config, dataset)
    result = run_protocol(config, dataset, seed=SEED, watch=watch)
    dT = watch.moves["teacher"][-1].double()
    size = float(dT.norm())
    arms: dict[str, Any] = {}
    for arm, moves in watch.moves.items():
        along = [float(move.double() @ dT) / size**2 for move in moves]
        off = [float((move.double() - part * dT).norm()) / size for move, part in zip(moves, along, strict=True)]
        start = result.curves[f"{arm}.accuracy"][0]
        arms[arm] = {
            "epochs": [0.0, *watch.times["teacher" if arm == "teacher" else "students"]],
            "along": [0.0, *along],
            "off": [0.0, *off],
            "accuracy": [start, *watch.accuracy[arm]],
        }
    return {"num_aux": num_aux, "teacher_move": size, "reference": result.accuracy["reference"], "arms": arms}


def main(target: Path) -> None:
    """Write the trajectories to ``target``."""
    torch.set_num_threads(1)
    dataset = load("mnist")
    document = {
        "what": "protocol R on MNIST; along = d . dT / |dT|^2, off = |d - along dT| / |dT|; accuracy on 2,000 images",
        "seed": SEED,
        "runs": [trajectory(num_aux, dataset) for num_aux in NUM_AUX],
        "versions": versions(),
    }
    rounded = json.loads(json.dumps(document), parse_float=lambda text: float(f"{float(text):.5g}"))
    with replacing(target) as file:
        file.write(json.dumps(rounded).encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
