"""One step of teacher and student along a ray of teachers: alignment and trait loss, for two places to start from.

    python experiments/studies/one_step_ray.py docs/results/one-step-ray.json

The quick settings of `subtx-toy run one-step`, on drawn digits, at more values of eps.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from subtx_toy.data import load
from subtx_toy.files.atomic import replacing
from subtx_toy.protocols.one_step import run_one_step
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.store.record import versions

EPS = np.logspace(-4, 2, 37)
SEEDS = range(5)
METRICS = ("alignment", "predicted_alignment", "remainder", "trait_loss_change")


def main(target: Path) -> None:
    """Write the values to ``target``, by start, metric, eps and seed."""
    torch.set_num_threads(1)
    base = read("one-step").quickened().config
    dataset = load(base.dataset, num_train=base.num_train, num_test=base.num_test)
    starts: dict[str, dict[str, list[list[float]]]] = {}
    for start in ("shared", "cross"):
        values: dict[str, list[list[float]]] = {name: [] for name in METRICS}
        for eps in EPS:
            config = base.changed({"eps": float(eps), "student_init": start})
            assert isinstance(config, OneStepConfig)
            found = [run_one_step(config, dataset, seed=seed) for seed in SEEDS]
            for name in METRICS:
                values[name].append([float(f"{one[name]:.6g}") for one in found])
        starts[start] = values
    document: dict[str, Any] = {
        "what": "one plain step of teacher and student on drawn digits, float64; values by metric [eps][seed]",
        "student_lr": base.student_lr,
        "eps": [float(f"{eps:.6g}") for eps in EPS],
        "seeds": list(SEEDS),
        "starts": starts,
        "versions": versions(),
    }
    with replacing(target) as file:
        file.write(json.dumps(document).encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
