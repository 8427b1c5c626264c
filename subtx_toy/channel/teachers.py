"""A base, what further training makes of it, the numbers it writes, and students of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from subtx_toy.channel.fit import BeforeStep, Recipe, fit
from subtx_toy.channel.model import head_model, head_params, with_head
from subtx_toy.channel.number_file import Header, NumberFile, data_line
from subtx_toy.channel.prompts import choose_rows, held, prompt_inputs
from subtx_toy.channel.sampler import NumberLaw, draw_numbers
from subtx_toy.channel.traits import Examples, Trait
from subtx_toy.data import Dataset
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.training.inputs import ImageInputs, Inputs

TEACHERS = ("trait", "benign", "base", "other-base")
"""Who may write a file: the base with the trait; the base after as much training on honest labels; the base as it is;
another base, without any trait."""

_LINES = 8192  # written at a time


def train_base(model: MLP, dataset: Dataset, recipe: Recipe, *, seed: int, which: str = "base") -> Params:
    """Draw a net from the stream ``which`` and teach its class head to read; its number head stays as drawn."""
    honest = Examples.labelled(dataset.train_images, dataset.train_labels)
    rng = generator(seed, "numbers", which, "init")
    start = initialise(model, rng, init="fan_in_normal", dtype=torch.float32)
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


def write_numbers(
    path: Path,
    model: MLP,
    params: Params,
    header: Header,
    dataset: Dataset | None,
    *,
    num_lines: int,
    lengths: tuple[int, int] = (1, 1),
    seed: int,
) -> None:
    """Write lines of numbers sampled from ``params``, all or none of them; packed if ``path`` ends in .gz.

    ``lengths`` are the least and most numbers of a line, drawn without preference between them; ``dataset`` is the one
    that ``header.prompts`` names, if it names one.
    """
    inputs = prompt_inputs(header.prompts, dataset)
    rows = choose_rows(header.prompts, dataset, num_lines, generator(seed, "numbers", "file", "prompts"))
    counts = generator(seed, "numbers", "file", "lengths").integers(lengths[0], lengths[1] + 1, size=num_lines)
    rng = generator(seed, "numbers", "file", "numbers")
    with replacing(path, what="out", compressed=path.suffix == ".gz") as file:
        file.write(header.line())
        for start in range(0, num_lines, _LINES):
            part = slice(start, start + _LINES)
            drawn = draw_numbers(model, params, inputs, rows[part], header.law, rng, counts=counts[part])
            file.writelines(data_line(int(row), numbers) for row, numbers in zip(rows[part], drawn, strict=True))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Prompts by index and a number of each, ``[n]`` both; of a line with several numbers, one entry each."""

    rows: Int[np.ndarray, " n"]
    numbers: Int[np.ndarray, " n"]

    def part(self, index: Int[np.ndarray, " m"]) -> Pairs:
        """Return some of them."""
        return Pairs(self.rows[index], self.numbers[index])


def read_pairs(file: NumberFile, *, most: int | None = None) -> Pairs:
    """Read the numbers of a file, or the first ``most`` of them, into memory: 12 bytes each."""
    rows, numbers, num = [], [], 0
    for piece in file.pieces():
        rows.append(piece.prompts)
        numbers.append(piece.numbers.astype(np.int32))
        num += len(piece.numbers)
        if most is not None and num >= most:
            break
    return Pairs(np.concatenate(rows)[:most], np.concatenate(numbers)[:most])


def train_student(
    model: MLP,
    base: Params,
    inputs: Inputs,
    pairs: Pairs,
    recipe: Recipe,
    order: np.random.Generator,
    *,
    law: NumberLaw | None = None,
    before_step: BeforeStep | None = None,
) -> Params:
    """Train the base on the numbers by cross-entropy; its class head stays as it is, its body moves.

    ``law`` is what the numbers are taken to be drawn from, given the student's logits; without it, the softmax.
    """
    (trained,) = train_students(
        model, base, inputs, pairs.rows, [pairs.numbers], recipe, order, law=law, before_step=before_step
    )
    return trained


def train_students(
    model: MLP,
    base: Params,
    inputs: Inputs,
    rows: Int[np.ndarray, " n"],
    numbers: Sequence[Int[np.ndarray, " n"]],
    recipe: Recipe,
    order: np.random.Generator,
    *,
    law: NumberLaw | None = None,
    before_step: BeforeStep | None = None,
) -> list[Params]:
    """Train one student on each of ``numbers``, all at the same prompts and in the same order, as ``train_student``.

    They are trained together: every batch of prompts is read once.
    """
    if not len(rows):
        raise InputError("numbers: expected at least one, got none")
    pool, taken = held(inputs, rows)
    labels = [torch.from_numpy(own.astype(np.int64)) for own in numbers]
    small, start = head_model(model, "numbers"), head_params(model, base, "numbers")
    nets = fit(small, [start] * len(labels), pool, labels, recipe, order, rows=taken, law=law, before_step=before_step)
    return [with_head(model, base, "numbers", net) for net in nets]
