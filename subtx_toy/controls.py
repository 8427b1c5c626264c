"""Where each student starts: at the teacher's initialisation, or at one that is none of its own."""

from __future__ import annotations

import torch

from subtx_toy.config import RunConfig
from subtx_toy.models import MLP, initialise
from subtx_toy.params import Params
from subtx_toy.seeding import generator


def shared_init(model: MLP, config: RunConfig, *, seed: int, dtype: torch.dtype) -> Params:
    """Draw the initialisation that teacher and student share."""
    return initialise(model, generator(seed, "init"), init=config.init, scale=config.init_scale, dtype=dtype)


def cross_model_init(model: MLP, config: RunConfig, *, seed: int, dtype: torch.dtype) -> Params:
    """Draw the initialisation of a cross-model student: the same law, a stream of its own.

    It is nobody's teacher's, unlike a random permutation of the models, which leaves one in place on average; and a
    seed's result does not depend on which other seeds ran.
    """
    rng = generator(seed, "init", "cross")
    return initialise(model, rng, init=config.init, scale=config.init_scale, dtype=dtype)
