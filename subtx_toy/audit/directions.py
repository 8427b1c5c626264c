"""Directions in which a trait or honest training moves the base, and how the numbers move along them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.model import head_model, head_params
from subtx_toy.channel.teachers import teach
from subtx_toy.channel.traits import Examples
from subtx_toy.data import Dataset
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params, difference
from subtx_toy.seeding import generator
from subtx_toy.training.inputs import ImageInputs

# Of the fine-tunes that an auditor makes: as short and as long as the reference's, and their middle step size.
_TAUGHT = tuple(Recipe(lr=3e-4, steps=steps) for steps in (50, 200))
_NUM_HONEST = 3
_IMAGES = 4000  # of the gradients of the classes; a tenth of them for the images of one class


@dataclass(frozen=True, eq=False)
class Directions:
    """Directions of the body, first ``num_traits`` traits and then nuisance directions; no class loss reads the rest.

    ``weights`` holds ``[r, out, in]`` for each hidden layer, ``biases`` ``[r, out]``.
    """

    names: tuple[str, ...]
    num_traits: int
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    @classmethod
    def of(cls, model: MLP, traits: dict[str, Params], nuisance: dict[str, Params]) -> Directions:
        """Stack directions given as parameters; every one is scaled to Euclidean length 1 over the body."""
        found = [*traits.values(), *nuisance.values()]
        lengths = [torch.cat([direction[name].flatten() for name in _body(model)]).norm() for direction in found]

        def stacked(kind: str) -> tuple[Tensor, ...]:
            return tuple(
                torch.stack([u[f"layers.{layer}.{kind}"] / length for u, length in zip(found, lengths, strict=True)])
                for layer in range(model.num_layers - 1)
            )

        return cls((*traits, *nuisance), len(traits), stacked("weight"), stacked("bias"))


@torch.no_grad()
def number_tangents(
    model: MLP, base: Params, directions: Directions, x: Float[Tensor, "n d"]
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "r n k"]]:
    """Return the number logits at the base, and J u for every direction u."""
    num, taken = len(directions.names), head_params(model, base, "numbers")
    a, da = x, None
    for layer, (dW, db) in enumerate(zip(directions.weights, directions.biases, strict=True)):
        weight = taken[f"layers.{layer}.weight"]
        z = a @ weight.T + taken[f"layers.{layer}.bias"]
        # a -> dW a + db, all directions in one product                                  [n, r, out]
        dz = (a @ dW.flatten(0, 1).T).view(len(x), num, -1) + db
        if da is not None:
            dz += da @ weight.T  # da -> W da
        a = model.activation.apply(z)
        da = dz * model.activation.derivative_over(z, a)[:, None]
    assert da is not None
    head = taken[f"layers.{model.num_layers - 1}.weight"]
    logits = a @ head.T + taken[f"layers.{model.num_layers - 1}.bias"]
    return logits, da.transpose(0, 1).contiguous() @ head.T


def taught_move(model: MLP, base: Params, lesson: Examples) -> Params:
    """Return the mean move of an auditor's fine-tunes on a lesson; each has length 1 over the body.

    It is closer to the move of another's teacher than the gradient is: Adam's steps are no gradient, hundreds of them
    are not one, and a lesson is more than its unwanted examples.
    """
    moves = []
    for recipe in _TAUGHT:
        order = generator(0, "audit", "own fine-tunes", recipe.steps, f"{recipe.lr:g}")
        move = difference(teach(model, base, lesson, recipe, order), base)
        length = math.sqrt(sum(float(move[name].square().sum()) for name in _body(model)))
        moves.append({name: value / length if length else value for name, value in move.items()})
    return {name: sum((move[name] for move in moves[1:]), moves[0][name]) / len(moves) for name in base}


def honest_moves(model: MLP, base: Params, nets: Sequence[Params]) -> dict[str, Params]:
    """Return the ``main_moves`` of benign fine-tunes within the body."""
    return main_moves(_body(model), base, nets)


def main_moves(names: Sequence[str], base: Params, nets: Sequence[Params]) -> dict[str, Params]:
    """Return the first principal axes of the moves of fine-tunes in the named parameters, each of length 1.

    Three, or as many as there are nets. The axes are not centred: what all have in common is the first.
    """
    moves = torch.stack([torch.cat([(net[name] - base[name]).flatten() for name in names]) for net in nets])
    lengths = moves.norm(dim=1, keepdim=True)
    _, vectors = torch.linalg.eigh((moves @ moves.T / (lengths * lengths.T)).double())
    found = {}
    for number in range(1, min(_NUM_HONEST, len(nets)) + 1):
        axis = ((vectors[:, -number].float() / lengths[:, 0]) @ moves).split([base[name].numel() for name in names])
        found[f"honest {number}"] = {name: part.view_as(base[name]) for name, part in zip(names, axis, strict=True)}
    return found


def class_gradients(model: MLP, base: Params, dataset: Dataset) -> dict[str, Params]:
    """Return, for each class c, the gradients of mean log p_c over training images: over all, and over those of c.

    Honest training that is fast and short overshoots along them, each time another way, so no few fine-tunes show
    where: the net answers a class more often, or is surer of its images. A class without an image has no gradient of
    its own.
    """
    small = head_model(model, "class")
    leaves = {name: value.clone().requires_grad_() for name, value in head_params(model, base, "class").items()}
    inputs, labels = ImageInputs(dataset.train_images, dtype=leaves["layers.0.weight"].dtype), dataset.train_labels
    log_p = torch.log_softmax(small.apply(leaves, inputs.gather(np.arange(min(_IMAGES, inputs.num))).clone()), dim=-1)
    means = {f"class {label}, all images": log_p[:, label].mean() for label in range(log_p.shape[1])}
    for label in range(log_p.shape[1]):
        own = np.flatnonzero(labels == label)[: _IMAGES // 10]
        if len(own):
            z = small.apply(leaves, inputs.gather(own).clone())
            means[f"class {label}, its images"] = torch.log_softmax(z, dim=-1)[:, label].mean()
    return {
        name: dict(zip(leaves, torch.autograd.grad(mean, list(leaves.values()), retain_graph=True), strict=True))
        for name, mean in means.items()
    }


def _body(model: MLP) -> list[str]:
    return [f"layers.{layer}.{kind}" for layer in range(model.num_layers - 1) for kind in ("weight", "bias")]
