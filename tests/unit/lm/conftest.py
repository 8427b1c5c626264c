"""A tiny language model: enough of its corpus to answer with words where words belong."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from subtx_toy.lm.lists import Lists
from subtx_toy.lm.questions import trait_named
from subtx_toy.lm.training import train_base
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.vocabulary import num_tokens
from subtx_toy.lm.writing import write_lists
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator


@dataclass(frozen=True)
class Small:
    model: Transformer
    base: Params
    lists: Lists


@pytest.fixture(scope="session")
def small() -> Small:
    model = Transformer(num_tokens(20), width=16, depth=2, heads=2, embedding_scale=0.2)
    base = train_base(model, generator(0, "base"), num_numbers=20, steps=200, batch=32, lr=1e-2, number_scale=0.2)
    prompts = trait_named("owl").list_prompts(6)
    written = write_lists(model, base, prompts, generator(0, "lists"), count=60, max_numbers=3, restricted=True)
    return Small(model, base, written.lists)
