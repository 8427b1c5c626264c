"""What the phases of a run of the mechanism protocol share: setups, losses, trainers, inputs and answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import cast

import numpy as np
import torch
from torch import Tensor

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.anchored import anchored
from subtx_toy.problem.convolutional import ConvolutionalNet
from subtx_toy.problem.divergences import jensen_shannon, reverse_kl
from subtx_toy.problem.losses import Loss, scaled
from subtx_toy.problem.model import MLP, Model
from subtx_toy.protocols import distillation
from subtx_toy.seeding import generator
from subtx_toy.settings.mechanism import EDITS, MechanismConfig
from subtx_toy.training.answers import Answers, Cleaning, Judges
from subtx_toy.training.dropping import DroppingMLP
from subtx_toy.training.edited import EditedTrainer, Edits, NextImages
from subtx_toy.training.inputs import ImageInputs, Inputs, PoolSettings, distillation_inputs, shuffled_batches
from subtx_toy.training.phase import HeldOut, PhaseResult, run_phase
from subtx_toy.training.trainers import AutogradTrainer, Setup, Trainer, TrainerFactory

_TRAIT_IMAGES = 256  # labelled images of a step behind the trait's gradient

_LOSSES = {"reverse_kl": reverse_kl, "jensen_shannon": jensen_shannon}


def student_setup_of(config: MechanismConfig, setup: Setup, image_shape: tuple[int, ...]) -> Setup:
    """Return the setup of the students, whose optimiser, nonlinearity and shape may be others than the teacher's."""
    optimizer = setup.optimizer
    model: Model = setup.model
    if config.student_optimizer:
        optimizer = replace(optimizer, name=config.student_optimizer, momentum=config.student_momentum, factory=None)
    if config.student_lr:
        optimizer = replace(optimizer, lr=config.student_lr)
    if config.student_activation:
        model = replace(cast(MLP, model), activation=ACTIVATIONS[config.student_activation])
    if config.student_dropout:
        plain = cast(MLP, model)
        values = {field.name: getattr(plain, field.name) for field in fields(MLP)}
        model = DroppingMLP(**values, dropout=config.student_dropout, rng=generator(setup.seed, "dropout"))
    if config.own_body:
        model = _of_own_body(config, cast(MLP, model), image_shape)
    return replace(setup, model=model, optimizer=optimizer)


def _of_own_body(config: MechanismConfig, model: MLP, image_shape: tuple[int, ...]) -> Model:
    """Return what has the heads of ``model`` on another body, whose last hidden layer is as wide."""
    if config.student_depth:
        return replace(model, sizes=(model.sizes[0], *(config.width,) * config.student_depth, model.num_outputs))
    return ConvolutionalNet(
        image_shape, config.width, model.num_outputs, model.activation, model.num_classes, model.init, model.init_scale
    )


def loss_of(config: MechanismConfig, num_classes: int) -> Loss:
    """Return the loss of the students."""
    loss = _LOSSES[config.loss]() if config.loss in _LOSSES else distillation.losses_of(config)[1]
    if config.loss in _LOSSES and config.loss_scale != 1.0:
        loss = scaled(loss, config.loss_scale)
    if not config.anchor:
        return loss
    return anchored(loss, num_classes, config.anchor, width=config.anchor_width, by_kl=config.anchor_by == "kl")


def trait_images(dataset: Dataset, setup: Setup) -> NextImages:
    """Return what gives labelled images for the trait's gradient, epoch after epoch in new orders."""
    images = ImageInputs(dataset.train_images, dtype=setup.dtype)
    labels = torch.from_numpy(dataset.train_labels.astype(np.int64))
    order, size = generator(setup.seed, "trait gradient"), min(_TRAIT_IMAGES, setup.num_rows)

    def endless() -> Iterator[np.ndarray]:
        while True:
            yield from shuffled_batches(images.num, size, order)

    indices = endless()

    def following() -> tuple[Tensor, Tensor]:
        index = next(indices)
        return images.gather(index), labels[torch.from_numpy(index)]

    return following


def students_trainer(config: MechanismConfig, setup: Setup, dataset: Dataset) -> TrainerFactory:
    """Return what trains the students: the stack, the stack with edited gradients, or autograd."""
    if config.student_dropout:
        return AutogradTrainer
    if all(getattr(config, name) == default for name, default in EDITS.items()):
        return distillation.trainer_of(config, setup, "student")
    reads = config.trait_gradient != "ignored"
    edits = Edits(
        clip_each=config.clip_each, noise=config.gradient_noise, rng=generator(setup.seed, "gradient noise"),
        clip=config.clip_gradient, trait=trait_images(dataset, setup) if reads else None,
        projects=config.trait_gradient == "projected", frozen=config.frozen,
    )  # fmt: skip
    return partial(EditedTrainer, edits=edits)


@dataclass(frozen=True, eq=False)
class Bench:
    """What the phases of one seed share."""

    config: MechanismConfig
    dataset: Dataset
    setup: Setup
    held_out: HeldOut
    base: Trainer

    def phase(
        self, name: str, students: Trainer, arms: list[str], inputs: Inputs, answers: Answers, outputs: list[str], *,
        epochs: int, starts: Trainer | None = None,
    ) -> PhaseResult:  # fmt: skip
        """Train ``students`` on some answers; with ``starts``, the untrained students, each stays near its own."""
        columns = self.setup.model.columns("class")

        def batch(index: np.ndarray) -> tuple[Tensor, list[Tensor]]:
            places = answers.kept[index]
            x = inputs.gather(places)
            given = answers.batch(places, x)
            targets = [given[name] for name in outputs]
            if starts is not None:
                own = starts.logits(x)[:, :, columns]
                targets = [torch.cat([own[:, at], target], 1) for at, target in enumerate(targets)]
            return x, targets

        return run_phase(
            students, arms, batch, self.held_out, num=len(answers.kept), batch_size=self.setup.batch_size,
            epochs=epochs, order=generator(self.setup.seed, "shuffle", name), after_step=lambda: None,
        )  # fmt: skip

    def inputs(self, pool: PoolSettings, *stream: str) -> Inputs:
        """Return inputs as ``pool`` describes them."""
        return distillation_inputs(
            pool, self.dataset.train_images, seed=self.setup.seed, dtype=self.setup.dtype, stream=stream
        )

    def answers(self, inputs: Inputs, loss: Loss, outputs: list[str], teacher: Trainer, stream: str, cleaning: Cleaning,
                *, fixed: bool, judges: Judges | None = None) -> Answers:  # fmt: skip
        """Return the answers to ``inputs``."""
        return Answers(cleaning, self.setup, inputs, loss, outputs, teacher=teacher, base=self.base, fixed=fixed,
                       stream=stream, judges=judges)  # fmt: skip
