"""What the time of a training step goes to, in both precisions."""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.crew import FAST, config_of
from subtx_toy import data
from subtx_toy.data.dataset import Dataset
from subtx_toy.protocols.distillation import run_protocol
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.training.trainers import StackTrainer

PARTS = {
    "products": ["products.py:write", "products.py:operand"],
    "optimiser": ["optimizers.py:step"],
    "loss": ["losses.py:_kl", "losses.py:_cross_entropy"],
}
"""Functions of a step, by what they are for."""


def profile(arguments: argparse.Namespace) -> dict[str, Any]:
    """Say what parts of the training of one model take what share of its time, in both precisions."""
    torch.set_num_threads(1)
    dataset = data.load(arguments.dataset, num_train=arguments.images, num_test=10_000)
    return {"benchmark": "profile", **{name: _shares(config_of(vars(arguments), name), dataset) for name in FAST}}


def _shares(config: RunConfig, dataset: Dataset) -> dict[str, float]:
    profiler = cProfile.Profile(time.process_time)

    class Watched(StackTrainer):
        def step(self, x: Tensor, targets: Sequence[Tensor]) -> list[float]:
            profiler.enable()
            losses = super().step(x, targets)
            profiler.disable()
            return losses

    idle = config.model_copy(update={"teacher_epochs": 0, "student_epochs": 0})
    run_protocol(idle, dataset, seed=0)  # imports and caches
    whole = run_protocol(config, dataset, seed=1, trainer=Watched).training_cpu_seconds
    spent: dict[str, float] = {}
    measured: dict[tuple[str, int, str], tuple[Any, ...]] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    for (file, _line, function), (_calls, _primitive, _own, cumulative, _callers) in measured.items():
        name = f"{Path(file).name}:{function}"
        spent[name] = spent.get(name, 0.0) + cumulative
    shares = {part: sum(spent[name] for name in names) / whole for part, names in PARTS.items()}
    shares["inputs and targets"] = 1 - spent["trainers.py:step"] / whole
    return {**shares, "activations, biases and the rest": 1 - sum(shares.values()), "training_cpu_seconds": whole}
