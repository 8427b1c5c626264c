"""How the trait fades along a chain of students with 3, 10 and 30 auxiliary logits, at the size of a published chain.

The protocol of github.com/jlov7/GhostTrace, scripts/phase_diagram.py: 784-256-256-(10 + m) on all of MNIST, five epochs
of Adam for the teacher and for each student, 20,000 inputs of new uniform noise per generation, five generations. The
control of a generation is a student of another initialisation with the same teacher. A chain is that of
``subtx-toy run generations``, measured after every generation, with products in bfloat16.

The source's Adam, of MLX, does not correct its moments for their start at zero. By step 100, the last of a student, a
step is then 3.2 times as large. Every chain is followed with that correction and without it.

    python experiments/studies/half_lives.py --seeds 0:10

Writes docs/results/mechanism/generations.json: the accuracy of both students after each generation.
``paper_figs/tables/half_lives.py`` fits the half-lives.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from experiments.studies.study_document import asked_seeds, write_document
from subtx_toy.data import load
from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.initialisations import cross_model_init, shared_init
from subtx_toy.problem.losses import Loss, kl
from subtx_toy.problem.params import Params
from subtx_toy.protocols.bench import Bench
from subtx_toy.protocols.distillation import pool_of, setup_of, teach
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.training.answers import Cleaning
from subtx_toy.training.phase import HeldOut
from subtx_toy.training.trainers import Setup, StackTrainer

TARGET = Path(__file__).parents[2] / "docs/results/mechanism/generations.json"
NUM_AUX = (3, 10, 30)
CONFIG = MechanismConfig(num_inputs=20_000, generations=5, students="aux", precision="bf16")
ARMS = ("student_aux", "cross_aux")


class Uncorrected(StackTrainer):
    """Adam whose moments are not corrected for their start at zero."""

    def __init__(self, setup: Setup, members: Sequence[Params], loss: Loss, outputs: Sequence[str]) -> None:
        super().__init__(setup, members, loss, outputs)
        theta, gradient = self._stack.moving, self._stack.gradient
        mean, square = torch.zeros_like(theta), torch.zeros_like(theta)

        @torch.no_grad()
        def step() -> None:
            mean.lerp_(gradient, 0.1)
            square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            theta.addcdiv_(mean, square.sqrt().add_(1e-8), value=-setup.optimizer.lr)

        self._take_step = step


def chain(
    config: MechanismConfig, dataset: Dataset, *, seed: int, trainer: type[StackTrainer] = StackTrainer
) -> dict[str, Any]:
    """Return the teacher's accuracy, and that of both students after each generation."""
    setup = setup_of(config, dataset, seed=seed)
    held_out = HeldOut(setup, dataset)
    base = shared_init(setup.model, seed=seed, dtype=setup.dtype)
    starts = [base, cross_model_init(setup.model, seed=seed, dtype=setup.dtype)]
    taught = teach(config, dataset, setup, held_out, trainer=trainer)
    last, untrained = (StackTrainer(setup, [params], kl(), ["class"]) for params in (taught.params, base))
    bench, outputs, pool = Bench(config, dataset, setup, held_out, untrained), ["aux"] * len(ARMS), pool_of(config)
    found: dict[str, Any] = {"seed": seed, "teacher": taught.accuracy} | {arm: list[float]() for arm in ARMS}
    for generation in range(config.generations):
        stream = "students" if generation == 0 else f"students {generation}"
        inputs = bench.inputs(pool, *([] if generation == 0 else [stream]))
        answers = bench.answers(inputs, kl(), outputs, last, stream, Cleaning(), fixed=True)
        students = trainer(setup, starts, kl(), outputs)
        bench.phase(stream, students, list(ARMS), inputs, answers, outputs, epochs=config.student_epochs)
        for arm, accuracy in zip(ARMS, held_out.accuracies(students), strict=True):
            found[arm].append(accuracy)
        last = StackTrainer(setup, [students.params(0)], kl(), ["aux"])
    return found


def main() -> None:
    """Run every seed and write the document."""
    seeds = asked_seeds(__doc__, "0:10")
    torch.set_num_threads(1)
    dataset = load(CONFIG.dataset, num_train=CONFIG.num_train, num_test=CONFIG.num_test)
    rows = []
    for corrected, trainer in ((True, StackTrainer), (False, Uncorrected)):
        for num_aux in NUM_AUX:
            config = CONFIG.override([f"num_aux={num_aux}"])
            chains = [chain(config, dataset, seed=seed, trainer=trainer) for seed in seeds]
            rows.append({"num_aux": num_aux, "bias_correction": corrected, "seeds": chains})
            print(num_aux, corrected, round(time.process_time()), "s", flush=True)
    write_document(TARGET, CONFIG, dataset, rows=rows)


if __name__ == "__main__":
    main()
