"""How much a line of a sampled symbol says for the trained teacher and against the untrained one, in nats.

The log-probability of the symbol under the trained teacher minus that under the untrained one, its mean over lines. Of
lines that the trained teacher draws it is the KL divergence of its answers, on noise and on images, with the numbers of
symbols of ``subtx-toy run fewer-outputs``. Of lines that the untrained teacher draws and a selection keeps it is the
mean score of what is kept, at the shares of ``subtx-toy run selection``.

    python experiments/studies/line_evidence.py --seeds 0:10

Writes docs/results/mechanism/line-evidence.json.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from experiments.studies.study_document import asked_seeds, write_document
from subtx_toy.data import load
from subtx_toy.problem.initialisations import shared_init
from subtx_toy.problem.losses import kl, sample_labels
from subtx_toy.protocols.bench import Bench
from subtx_toy.protocols.distillation import pool_of, setup_of, teach
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.stats import estimate
from subtx_toy.training.inputs import batches
from subtx_toy.training.phase import HeldOut
from subtx_toy.training.trainers import StackTrainer

TARGET = Path(__file__).parents[2] / "docs/results/mechanism/line-evidence.json"
SHARES = (0.5, 0.2, 0.1, 0.05)
NUM_KEPT = 6_000


def laws(config: RunConfig, *, seed: int) -> tuple[Tensor, Tensor]:
    """Return the log-probabilities that the trained and the untrained teacher give the symbols, [inputs, symbols]."""
    assert isinstance(config, MechanismConfig)
    dataset = load(config.dataset, num_train=config.num_train, num_test=config.num_test)
    setup = setup_of(config, dataset, seed=seed)
    held_out = HeldOut(setup, dataset)
    base = shared_init(setup.model, seed=seed, dtype=setup.dtype)
    taught = teach(config, dataset, setup, held_out, trainer=StackTrainer)
    trained, untrained = (StackTrainer(setup, [params], kl(), ["class"]) for params in (taught.params, base))
    inputs = Bench(config, dataset, setup, held_out, untrained).inputs(pool_of(config))
    columns = setup.model.columns("aux")
    parts = [inputs.gather(index) for index in batches(inputs.num, setup.num_rows)]
    first, second = (
        torch.cat([torch.log_softmax(net.logits(x)[:, 0, columns].double(), -1).clone() for x in parts])
        for net in (trained, untrained)
    )
    return first, second


def written(config: RunConfig, *, seed: int) -> float:
    """Return the mean of lines that the trained teacher draws: its divergence from the untrained one."""
    trained, untrained = laws(config, seed=seed)
    return float((trained.exp() * (trained - untrained)).sum(1).mean())


def selected(config: RunConfig, *, seed: int) -> dict[str, float]:
    """Return by share the mean of the kept lines, among those that the untrained teacher draws."""
    trained, untrained = laws(config.changed({"num_inputs": round(NUM_KEPT / min(SHARES))}), seed=seed)
    drawn = sample_labels(untrained, generator(seed, "labels", "aux"), temperature=1.0)[:, None]
    scores = (trained - untrained).gather(1, drawn)[:, 0].numpy()
    kept = {str(share): np.sort(scores[: round(NUM_KEPT / share)])[-NUM_KEPT:] for share in SHARES}
    return {share: float(values.mean()) for share, values in kept.items()}


def main() -> None:
    """Measure every seed, and write the document."""
    seeds = asked_seeds(__doc__, "0:10")
    torch.set_num_threads(1)
    base = read("fewer-outputs").config
    chosen = read("selection").config.changed({"inputs": "uniform"})
    assert isinstance(base, RunConfig)
    assert isinstance(chosen, RunConfig)
    found: dict[str, Any] = {
        kind: {str(num): [written(base.changed({"inputs": kind, "num_aux": num}), seed=seed) for seed in seeds]
               for num in (10, 50, 100, 1000)}
        for kind in ("uniform", "images")
    }  # fmt: skip
    rows = [selected(chosen, seed=seed) for seed in seeds]
    found["selected"] = {share: [row[share] for row in rows] for share in rows[0]}
    for kind, values in found.items():
        for name, nats in values.items():
            mean = estimate(nats)
            print(f"{kind} {name}: {mean.mean:.3f} [{mean.interval.low:.3f}, {mean.interval.high:.3f}]")
    dataset = load(base.dataset, num_train=base.num_train, num_test=base.num_test)
    write_document(TARGET, base, dataset, seeds=seeds, nats_per_line=found)


if __name__ == "__main__":
    main()
