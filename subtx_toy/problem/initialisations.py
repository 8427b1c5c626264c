"""Where each student starts: at the teacher's initialisation, or at one that is none of its own."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.one_step import OneStepConfig


def initialise(
    model: MLP, rng: np.random.Generator, *, init: str, scale: float = 1.0, dtype: torch.dtype = torch.float64
) -> Params:
    """Draw the parameters of ``model``.

    ``"fan_in_normal"``: weights N(0, 1/d_in), biases 0 (Cloud et al. 2025, arXiv:2507.14805). ``"he"``: weights
    N(0, 2/d_in), biases 0 (He et al. 2015, arXiv:1502.01852). ``"pytorch"``: weights and biases uniform within
    1/sqrt(d_in) of zero, as torch.nn.Linear does. All are multiplied by ``scale``.

    The numbers are drawn in float64 and rounded to ``dtype``, so that runs in two precisions start together.

    Raises:
        ValueError: if ``init`` is none of the three.
    """
    params: Params = {}
    for layer, (d_in, d_out) in enumerate(itertools.pairwise(model.sizes)):
        bias = np.zeros(d_out)
        if init == "fan_in_normal":
            weight = rng.standard_normal((d_out, d_in)) * d_in**-0.5
        elif init == "he":
            weight = rng.standard_normal((d_out, d_in)) * (2 / d_in) ** 0.5
        elif init == "pytorch":
            weight = rng.uniform(-1, 1, (d_out, d_in)) * d_in**-0.5
            bias = rng.uniform(-1, 1, d_out) * d_in**-0.5
        else:
            raise ValueError(f"init: expected 'fan_in_normal', 'pytorch' or 'he', got {init!r}")
        params[f"layers.{layer}.weight"] = torch.from_numpy(scale * weight).to(dtype)
        params[f"layers.{layer}.bias"] = torch.from_numpy(scale * bias).to(dtype)
    return params


def shared_init(model: MLP, config: RunConfig | OneStepConfig, *, seed: int, dtype: torch.dtype) -> Params:
    """Draw the initialisation that teacher and student share."""
    return initialise(model, generator(seed, "init"), init=config.init, scale=config.init_scale, dtype=dtype)


def cross_model_init(model: MLP, config: RunConfig | OneStepConfig, *, seed: int, dtype: torch.dtype) -> Params:
    """Draw the initialisation of a cross-model student: the same law, a stream of its own.

    It is nobody's teacher's, unlike a random permutation of the models, which leaves one in place on average; and a
    seed's result does not depend on which other seeds ran.
    """
    rng = generator(seed, "init", "cross")
    return initialise(model, rng, init=config.init, scale=config.init_scale, dtype=dtype)


def permuted_units(model: MLP, params: Params, rng: np.random.Generator) -> Params:
    """Permute the hidden units of every layer: the same function, from another point in parameter space.

    Weights into and out of a layer are permuted together.
    """
    permuted = {name: value.clone() for name, value in params.items()}
    for layer in range(model.num_layers - 1):
        order = torch.from_numpy(rng.permutation(model.sizes[layer + 1]))
        here, above = f"layers.{layer}", f"layers.{layer + 1}"
        permuted[f"{here}.weight"] = permuted[f"{here}.weight"][order]
        permuted[f"{here}.bias"] = permuted[f"{here}.bias"][order]
        permuted[f"{above}.weight"] = permuted[f"{above}.weight"][:, order]
    return permuted


def noisy_student_init(model: MLP, config: RunConfig, base_params: Params, *, seed: int) -> Params:
    """Return where the shared students start: the shared initialisation, with noise added where ``config`` asks for it.

    The noise is N(0, s^2) in every weight and bias of the layers named, where s is ``student_noise`` itself or that
    many standard deviations of the weight matrix or bias vector it is added to (biases that are all equal get none).
    """
    if not config.student_noise:
        return base_params
    rng, noisy = generator(seed, "init", "student noise"), dict(base_params)
    for name, value in base_params.items():
        draw = torch.from_numpy(rng.standard_normal(tuple(value.shape)))
        if config.student_noise_layers == "hidden" and name.startswith(f"layers.{model.num_layers - 1}."):
            continue  # drawn all the same, so that both settings give a hidden layer the same noise
        relative = config.student_noise_unit == "parameter_sd"
        spread = config.student_noise * (float(value.double().std(correction=0)) if relative else 1.0)
        noisy[name] = value + (spread * draw).to(value.dtype)
    return noisy


def perturbed(params: Params, rng: np.random.Generator, *, spread: float) -> Params:
    """Add N(0, spread^2) to every parameter."""
    return {
        name: value + spread * torch.from_numpy(rng.standard_normal(tuple(value.shape))).to(value.dtype)
        for name, value in params.items()
    }
