"""A training setup written out field by field, for tests of the trainers alone."""

from __future__ import annotations

from subtx_toy.problem.model import Model
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.training.optimizers import OptimizerSettings
from subtx_toy.training.trainers import Setup


def plain_setup(model: Model, config: RunConfig, *, num_rows: int, seed: int = 0) -> Setup:
    optimizer = OptimizerSettings(
        name=config.optimizer,
        lr=config.lr,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        decay_towards=config.decay_towards,
    )
    return Setup(
        model=model,
        optimizer=optimizer,
        batch_size=config.batch_size,
        teacher_batch_size=config.teacher_batch_size or config.batch_size,
        precision=config.precision,
        seed=seed,
        num_rows=num_rows,
    )
