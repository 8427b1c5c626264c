"""What the mechanism protocol measures besides accuracies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from subtx_toy.problem.losses import kl
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.protocols.bench import Bench
from subtx_toy.protocols.label_bits import bits_per_label
from subtx_toy.training.edited import EditedTrainer
from subtx_toy.training.inputs import ImageInputs, Inputs, PoolSettings, batches
from subtx_toy.training.kernels import Kernels, compared
from subtx_toy.training.trainers import Setup, Trainer

_NUM_COMPARED = 32  # images, and distillation inputs, of a kernel
_NUM_MEASURED = 2_000  # inputs on which imitation is measured


def gradient_cosines(students: Trainer, arms: Sequence[str]) -> dict[str, float]:
    """Return the cosine of the trait's gradient with each edited student's: its mean, and how often it is positive."""
    if not (isinstance(students, EditedTrainer) and students.cosines):
        return {}
    found = np.array(students.cosines)
    means = {f"{arm}.gradient_cosine": float(found[:, at].mean()) for at, arm in enumerate(arms)}
    return means | {f"{arm}.gradient_agrees": float((found[:, at] > 0).mean()) for at, arm in enumerate(arms)}


def imitation(
    bench: Bench, pool: PoolSettings, teacher: Trainer, students: Trainer, arms: Sequence[str]
) -> dict[str, float]:
    """Return how much of the teacher's change of the auxiliary logits has arrived: 1 - KL(T || arm) / KL(T || base).

    ``agreement`` is how often the largest auxiliary logit is the teacher's. With ``imitated`` "second" they are those.
    Measured on inputs of the distillation's kind that no student saw, test images or new noise; the first is nan where
    the teacher's softmax did not change, as of one logit.
    """
    inputs, outputs = _unseen(bench, pool), bench.config.imitated
    theirs, start = (_logits(bench, trainer, inputs, outputs)[:, 0] for trainer in (teacher, bench.base))
    own = _logits(bench, students, inputs, outputs)
    whole = float(kl().values(start, theirs).mean())
    left = [float(kl().values(own[:, at], theirs).mean()) for at in range(len(arms))]
    found = {f"{arm}.imitation": 1 - rest / whole if whole else math.nan for arm, rest in zip(arms, left, strict=True)}
    same = (own.argmax(2) == theirs.argmax(1)[:, None]).double().mean(0).tolist()
    return found | {f"{arm}.agreement": share for arm, share in zip(arms, same, strict=True)}


def bits(bench: Bench, teacher: Trainer, students: Trainer, arms: Sequence[str]) -> dict[str, float]:
    """Return ``<arm>.bits``: bits of a test label that the class logits hold, for untrained, teacher and students."""
    found: dict[str, float] = {}
    for names, trainer in ((["reference"], bench.base), (["teacher"], teacher), (arms, students)):
        members, labels = bench.held_out.answers(trainer)
        found |= {f"{arm}.bits": bits_per_label(z, labels) for arm, z in zip(names, members, strict=True)}
    return found


def kernels(
    bench: Bench, pool: PoolSettings, teacher: Trainer, student: Setup, starts: Mapping[str, Params], base: Params
) -> dict[str, float]:
    """Return ``<arm>.<cosine>`` of ``training.kernels.compared`` for every student at its start, in float64."""
    images = ImageInputs(bench.dataset.test_images[:_NUM_COMPARED], dtype=bench.setup.dtype)
    inputs = _unseen(bench, pool, _NUM_COMPARED)
    moved, read = (
        (_logits(bench, teacher, seen, outputs) - _logits(bench, bench.base, seen, outputs))[:, 0].double()
        for seen, outputs in ((inputs, "aux"), (images, "class"))
    )
    places = np.arange(_NUM_COMPARED)
    x, z = (seen.gather(places[: seen.num]).double().clone() for seen in (images, inputs))
    of_base = Kernels.at(cast(MLP, bench.setup.model), _double(base), x, z)
    found: dict[str, float] = {}
    for arm, params in starts.items():
        mine = of_base if params is base else Kernels.at(cast(MLP, student.model), _double(params), x, z)
        cosines = compared(mine, of_base, moved=moved, read=read)
        found |= {f"{arm}.{name}": value for name, value in cosines.items()}
    return found


def _double(params: Params) -> Params:
    return {name: value.double() for name, value in params.items()}


class _Kept:
    """A few inputs, which give the same every time."""

    def __init__(self, pool: Tensor) -> None:
        self._pool = pool
        self.num, self.dim = pool.shape

    def gather(self, index: np.ndarray) -> Tensor:
        """Return the inputs at ``index``."""
        return self._pool[torch.from_numpy(index)]


def _unseen(bench: Bench, pool: PoolSettings, most: int = _NUM_MEASURED) -> Inputs:
    """Return test images, or new noise."""
    if pool.inputs in ("uniform", "gaussian"):
        noise = bench.inputs(pool, "measured")
        return _Kept(noise.gather(np.arange(min(most, noise.num))).clone())
    return ImageInputs(bench.dataset.test_images[:most], dtype=bench.setup.dtype)


def _logits(bench: Bench, trainer: Trainer, inputs: Inputs, outputs: str) -> Tensor:
    columns = bench.setup.model.columns(outputs)
    parts = batches(inputs.num, bench.setup.num_rows)
    return torch.cat([trainer.logits(inputs.gather(index))[:, :, columns].clone() for index in parts])
