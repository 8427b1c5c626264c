"""A trained teacher as a direction: the reference protocol's teacher on MNIST, for certificates of its segment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from subtx_toy.data.dataset import Dataset
from subtx_toy.data.noise import draw_noise, pixels
from subtx_toy.problem.initialisations import shared_init
from subtx_toy.problem.losses import distillation_loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import cross_entropy_trait
from subtx_toy.protocols.distillation import ProtocolResult, run_protocol
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.training.trainers import Trainer

NUM_INPUTS = 64


class Segment(NamedTuple):
    """``problem`` holds the base and the direction to rounding; ``teacher`` the stored parameters at eps = 1.

    ``result`` is what the protocol measured, among it the teacher's accuracy.
    """

    problem: Problem
    teacher: Params
    result: ProtocolResult


def train_segment(config: RunConfig, dataset: Dataset, *, seed: int) -> Segment:
    """Train the teacher of one seed of the reference protocol, five epochs in float32 unless ``config`` says otherwise.

    The problem's inputs are the first 64 uniform-noise images of a stream of its own, its trait inputs the first 64
    training images, all float32 numbers in float64.
    """
    model = MLP.from_config(config, input_dim=dataset.train_images[0].size, num_classes=dataset.num_classes)
    trainers: list[Trainer] = []
    alone = config.model_copy(update={"students": "student_aux", "student_epochs": 0, "num_inputs": NUM_INPUTS})

    def keep(phase: str, trainer: Trainer) -> None:
        if phase == "teacher":
            trainers[:] = [trainer]

    result = run_protocol(alone, dataset, seed=seed, watch=keep)
    base = _doubles(shared_init(model, seed=seed, dtype=torch.float32))
    teacher = _doubles(trainers[0].params(0))
    inputs = draw_noise("uniform", generator(seed, "certify", "inputs"), torch.empty(NUM_INPUTS, model.sizes[0]))
    images = pixels(dataset.train_images[:NUM_INPUTS], torch.empty(NUM_INPUTS, model.sizes[0]))
    labels = torch.from_numpy(dataset.train_labels[:NUM_INPUTS].astype(np.int64))
    problem = Problem(
        model=model,
        base_params=base,
        inputs=inputs.double(),
        distillation_loss=distillation_loss("kl", temperature=1.0),
        distilled_logits="aux",
        trait_loss=cross_entropy_trait(images.double(), labels, class_logits=slice(0, model.num_classes)),
        teacher_update={name: teacher[name] - base[name] for name in base},
        eps=1.0,
        student_lr=1.0,
    )
    return Segment(problem, teacher, result)


def _doubles(params: Params) -> Params:
    return {name: value.detach().to(torch.float64).clone() for name, value in params.items()}
