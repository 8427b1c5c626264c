"""What every part of the training of one seed shares."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from subtx_toy.problem.model import Model
from subtx_toy.training.optimizers import OptimizerSettings

_DTYPES = {"fp32": torch.float32, "fp64": torch.float64, "bf16": torch.float32}


@dataclass(frozen=True)
class Setup:
    """The model, its optimiser, the sizes of batches, the precision and the seed of a run.

    Two equal setups train the same teacher on the same images.

    Attributes:
        batch_size: inputs per step of the students, and per pass where nothing is trained.
        teacher_batch_size: images per step of the teacher.
        precision: ``"fp32"``, ``"fp64"``, or ``"bf16"`` for products and hidden layers in bfloat16.
        num_rows: the most inputs that any batch can have, for which buffers are allocated.
    """

    model: Model
    optimizer: OptimizerSettings
    batch_size: int
    teacher_batch_size: int
    precision: str
    seed: int
    num_rows: int = field(compare=False)

    @property
    def dtype(self) -> torch.dtype:
        """What weights, inputs and the state of the optimiser are held in."""
        return _DTYPES[self.precision]
