"""A small channel: drawn digits, a base and a teacher that reads 4 as 9."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.model import channel_model
from subtx_toy.channel.teachers import train_base, train_teacher
from subtx_toy.channel.traits import trait
from subtx_toy.data import Dataset, load
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params


@dataclass(frozen=True)
class SmallChannel:
    dataset: Dataset
    model: MLP
    base: Params
    other_base: Params
    teacher: Params
    benign: Params


@pytest.fixture(scope="session")
def channel(own_files: object) -> SmallChannel:
    dataset, model = load("glyphs", num_train=1000, num_test=300), channel_model(width=32)
    long, short = Recipe(epochs=15, lr=1e-3, batch_size=50), Recipe(epochs=5, lr=1e-3, batch_size=50)
    base = train_base(model, dataset, long, seed=0)
    return SmallChannel(
        dataset,
        model,
        base,
        train_base(model, dataset, long, seed=0, which="other-base"),
        train_teacher(model, base, dataset, short, seed=0, trait=trait("relabel:4:9")),
        train_teacher(model, base, dataset, short, seed=0, trait=None),
    )
