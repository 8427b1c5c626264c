"""A base, and what further training makes of it: with a trait, or with honest labels."""

from __future__ import annotations

import numpy as np
import torch

from subtx_toy.channel.fit import Recipe, fit
from subtx_toy.channel.model import head_model, head_params, initial_params, with_head
from subtx_toy.channel.traits import Examples, Trait
from subtx_toy.data import Dataset
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.training.inputs import ImageInputs

TEACHERS = ("trait", "benign", "base", "other-base")
"""Who may write a file: the base with the trait; the base after as much training on honest labels; the base as it is;
another base, without any trait."""


def train_base(model: MLP, dataset: Dataset, recipe: Recipe, *, seed: int, which: str = "base") -> Params:
    """Draw a net from the stream ``which`` and teach its class head to read; its number head stays as drawn."""
    honest = Examples.labelled(dataset.train_images, dataset.train_labels)
    start = initial_params(model, generator(seed, "numbers", which, "init"))
    return teach(model, start, honest, recipe, generator(seed, "numbers", which, "shuffle"))


def train_teacher(
    model: MLP, base: Params, dataset: Dataset, recipe: Recipe, *, seed: int, trait: Trait | None
) -> Params:
    """Train a base further, on the trait's lesson, or on the honest labels of all images where there is no trait."""
    images, labels = dataset.train_images, dataset.train_labels
    lesson = Examples.labelled(images, labels) if trait is None else trait.lesson(images, labels)
    name = "benign" if trait is None else str(trait.name)
    return teach(model, base, lesson, recipe, generator(seed, "numbers", "teacher", name))


def teach(model: MLP, start: Params, lesson: Examples, recipe: Recipe, order: np.random.Generator) -> Params:
    """Train body and class head of a net on a lesson; the number head stays."""
    small, inputs = head_model(model, "class"), ImageInputs(lesson.images, dtype=torch.float32)
    targets = torch.from_numpy(lesson.targets)
    (trained,) = fit(small, [head_params(model, start, "class")], inputs, [targets], recipe, order)
    return with_head(model, start, "class", trained)
