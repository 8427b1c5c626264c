"""Descriptions of small problems, drawn at random."""

from __future__ import annotations

import copy

import numpy as np

from subtx_toy.problem.spec import SMOOTH_ACTIVATIONS, ProblemSpec


def draw_spec(rng: np.random.Generator) -> ProblemSpec:
    """Draw a description: smooth nets of up to three hidden layers of up to 16 units, every loss and distilled set."""
    loss = str(_pick(rng, "squared_error", "kl"))
    spec = copy.copy(_SMALLEST)  # what is drawn is valid: no need to check it
    spec.__dict__.update(
        hidden=tuple(int(width) for width in rng.integers(2, 17, int(rng.integers(0, 4)))),
        input_dim=int(rng.integers(1, 9)),
        num_classes=int(rng.integers(2, 6)),
        num_aux=int(rng.integers(1, 6)),
        activation=str(_pick(rng, *SMOOTH_ACTIVATIONS)),
        init=str(_pick(rng, "fan_in_normal", "pytorch", "he")),
        init_scale=float(2.0 ** rng.integers(-1, 2)),
        inputs=str(_pick(rng, "gaussian", "uniform")),
        num_inputs=int(rng.integers(1, 33)),
        num_trait_inputs=int(rng.integers(1, 17)),
        trait=str(_pick(rng, "cross_entropy", "squared_error")),
        teacher=str(_pick(rng, "trait", "random", "trait", "random", "last_layer")),
        loss=loss,
        temperature=float(2.0 ** rng.integers(-1, 3)) if loss == "kl" else 1.0,
        distilled_logits=str(_pick(rng, "aux", "class", "all")),
        eps=float(2.0 ** -rng.integers(6, 13)),
        student_lr=float(2.0 ** -rng.integers(0, 7)),
        seed=int(rng.integers(2**31)),
    )
    return spec


_SMALLEST = ProblemSpec()


def _pick(rng: np.random.Generator, *options: object) -> object:
    return options[int(rng.integers(len(options)))]
