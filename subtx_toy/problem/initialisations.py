"""Where each student starts: at the teacher's initialisation, or at one that is none of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from subtx_toy.problem.model import MLP, Model
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator


def initialise(
    model: MLP, rng: np.random.Generator, *, init: str, scale: float = 1.0, dtype: torch.dtype = torch.float64
) -> Params:
    """Draw the parameters of ``model`` by the law ``init``, multiplied by ``scale``: see ``MLP.initial``."""
    return rounded(replace(model, init=init, init_scale=scale).initial(rng), dtype)


def rounded(params: Params, dtype: torch.dtype) -> Params:
    """Round parameters drawn in float64, so that runs in two precisions start together."""
    return {name: value.to(dtype) for name, value in params.items()}


def shared_init(model: Model, *, seed: int, dtype: torch.dtype) -> Params:
    """Draw the initialisation that teacher and student share."""
    return rounded(model.initial(generator(seed, "init")), dtype)


def cross_model_init(model: Model, *, seed: int, dtype: torch.dtype) -> Params:
    """Draw a cross-model student's initialisation: the same law, a stream of its own, so it is nobody's teacher's."""
    return rounded(model.initial(generator(seed, "init", "cross")), dtype)


def permuted_units(model: MLP, params: Params, rng: np.random.Generator) -> Params:
    """Permute the hidden units of every layer, with the weights into and out of them: the function stays the same."""
    permuted = {name: value.clone() for name, value in params.items()}
    for layer in range(model.num_layers - 1):
        order = torch.from_numpy(rng.permutation(model.sizes[layer + 1]))
        here, above = f"layers.{layer}", f"layers.{layer + 1}"
        permuted[f"{here}.weight"] = permuted[f"{here}.weight"][order]
        permuted[f"{here}.bias"] = permuted[f"{here}.bias"][order]
        permuted[f"{above}.weight"] = permuted[f"{above}.weight"][:, order]
    return permuted


@dataclass(frozen=True)
class StudentNoise:
    """Noise on the shared students' init, in all layers or the hidden ones; ``unit`` may be each parameter's own sd."""

    sd: float = 0.0
    unit: str = "absolute"
    layers: str = "all"


def noisy_student_init(model: Model, noise: StudentNoise, base_params: Params, *, seed: int) -> Params:
    """Return the shared initialisation plus N(0, s^2) in every weight and bias of the layers that ``noise`` names.

    s is ``noise.sd``, or that many sd of the weight matrix or bias vector (biases that are all equal get none).
    """
    if not noise.sd:
        return base_params
    rng, noisy = generator(seed, "init", "student noise"), dict(base_params)
    head = f"layers.{model.num_layers - 1}." if isinstance(model, MLP) and noise.layers == "hidden" else None
    for name, value in base_params.items():
        draw = torch.from_numpy(rng.standard_normal(tuple(value.shape)))
        if head and name.startswith(head):
            continue  # drawn all the same, so that both settings give a hidden layer the same noise
        spread = noise.sd * (float(value.double().std(correction=0)) if noise.unit == "parameter_sd" else 1.0)
        noisy[name] = value + (spread * draw).to(value.dtype)
    return noisy


def perturbed(params: Params, rng: np.random.Generator, *, spread: float) -> Params:
    """Add N(0, spread^2) to every parameter."""
    return {
        name: value + spread * torch.from_numpy(rng.standard_normal(tuple(value.shape))).to(value.dtype)
        for name, value in params.items()
    }
