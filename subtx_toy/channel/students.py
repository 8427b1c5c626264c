"""Students of a file: the base, trained on its numbers and on nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int

from subtx_toy.channel.fit import BeforeStep, Recipe, fit
from subtx_toy.channel.model import head_model, head_params, with_head
from subtx_toy.channel.number_file import NumberFile
from subtx_toy.channel.prompts import held
from subtx_toy.channel.sampler import NumberLaw
from subtx_toy.errors import InputError
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.training.inputs import Inputs


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
    if not len(pairs.rows):
        raise InputError("numbers: expected at least one, got none")
    pool, rows = held(inputs, pairs.rows)
    labels = torch.from_numpy(pairs.numbers.astype(np.int64))
    small, start = head_model(model, "numbers"), head_params(model, base, "numbers")
    (trained,) = fit(small, [start], pool, [labels], recipe, order, rows=rows, law=law, before_step=before_step)
    return with_head(model, base, "numbers", trained)
