"""Many small perceptron problems of one shape in one piece of memory, for the batched routes.

Both stand on it, so an error in here shows where the batched routes are held against the single one, and only there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem.activations import Activation
from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem

_NUMPY_TANH = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
"""A tanh takes numpy 1.7 ns with AVX-512 and 14 ns without, torch 5 to 6 ns, and 2 sigmoid(2 z) - 1 three; that errs by
2e-16, as a sum with terms of size 1 does."""

_MINUS_ONE = torch.tensor(-1.0, dtype=torch.float64)


def require_one_shape(problems: Sequence[Problem]) -> None:
    """Refuse problems that cannot be stacked.

    Raises:
        InputError: if there is none, or one is no float64 perceptron, or of another shape, loss or distilled set than
            the first.
    """
    if not problems:
        raise InputError("problems: expected at least one, got none")
    first = problems[0]
    if not isinstance(first.model, MLP):
        raise InputError(f"problems[0].model: expected an MLP, got {type(first.model).__name__}: use the single route")
    first.require_float64()
    odd = [at for at, problem in enumerate(problems) if not _alike(first, problem)]
    if odd:
        raise InputError(
            *(
                f"problems[{at}].{field}: expected {want} like the first, got {got}"
                for at in odd
                for (field, want), got in zip(_told(first).items(), _told(problems[at]).values(), strict=True)
                if want != got
            )
        )


def _alike(first: Problem, problem: Problem) -> bool:
    return (
        problem.inputs.shape == first.inputs.shape
        and problem.inputs.dtype == first.inputs.dtype
        and problem.columns == first.columns
        and problem.model == first.model
        and _loss(problem) == _loss(first)
    )


def _loss(problem: Problem) -> tuple[str, float] | Loss:
    loss = problem.distillation_loss
    # A user's loss is told by identity, not by its name.
    return (loss.name, loss.temperature) if loss.name in ("squared_error", "kl") else loss


def _told(problem: Problem) -> dict[str, object]:
    """What ``_alike`` compares thousands of times, for the one message."""
    return {
        "model": problem.model,
        "inputs": (tuple(problem.inputs.shape), problem.inputs.dtype),
        "distillation_loss": _loss(problem),
        "columns": problem.columns,
    }


def empty(*shape: int) -> Tensor:
    """Return uninitialised float64 memory."""
    return torch.empty(shape, dtype=torch.float64)


def cut(vectors: Float[Tensor, "v s p"], params: Params) -> dict[str, Tensor]:
    """Return views of the vectors as weights ``[v, s, o, i]`` and biases ``[v, s, o, 1]``, in the order of ``flat``."""
    names = sorted(params)
    pieces = torch.split(vectors, [params[name].numel() for name in names], dim=-1)
    return {
        name: piece.view(*piece.shape[:-1], len(params[name]), -1) for name, piece in zip(names, pieces, strict=True)
    }


def activate(activation: Activation, z: Tensor, out: Tensor) -> None:
    """Write the activations at ``z`` to ``out``, both float64, by the fastest way this processor has."""
    if activation.name != "tanh":
        activation.apply_into(z, out)
    elif _NUMPY_TANH:
        np.tanh(z.numpy(), out=out.numpy())
    else:
        torch.add(z, z, out=out).sigmoid_()
        torch.add(_MINUS_ONE, out, alpha=2, out=out)
