"""The network of a problem as certificates name it: a perceptron, or a chain of layers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from subtx_toy.certify.activations import ACTIVATIONS
from subtx_toy.certify.chain.layout import Words
from subtx_toy.certify.chain.modules import KNOWN, layers_of, module_of, obstacles, words_of
from subtx_toy.errors import InputError
from subtx_toy.problem.functional import ModuleFunction
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem

_GRID = np.linspace(-4.0, 4.0, 33)  # where an activation of a problem is compared with that of its name
_ROUNDING = 1e-9  # two float64 evaluations of one network agree to it, relative to the largest output
OF_A_PERCEPTRON = ("trait-loss", "distance")
"""Quantities that are known of perceptrons alone: they follow the student through every layer."""


@dataclass(frozen=True)
class DescribedNetwork:
    """What a network is: an ``activation`` between linear layers, or the words of a chain and its ``input_shape``.

    ``places`` says under which names of the problem the arrays of a certificate stand; ``frozen`` holds those that no
    update moves.
    """

    num_outputs: int
    places: dict[str, str]
    activation: str = ""
    layers: list[Words] = field(default_factory=list)
    input_shape: list[int] = field(default_factory=list)
    frozen: Params = field(default_factory=dict)

    def parameters(self, params: Params, *, frozen_as: float = 1.0) -> Params:
        """Return the arrays under the names of certificates; what is frozen is multiplied by ``frozen_as``."""
        given = {name: value * frozen_as for name, value in self.frozen.items()} | params
        return {name: given[place] for name, place in self.places.items()}


def network_obstacles(problem: Problem) -> list[str]:
    """Say why no certificate can speak of a problem's network."""
    model = problem.model
    if isinstance(model, ModuleFunction):
        picked = ["model: expected a module without an output to pick, got one"] if model.output else []
        return [*obstacles(model.module), *picked]
    if not isinstance(model, MLP):
        got = type(getattr(model, "module", model)).__name__
        return [f"model: expected a perceptron of this package or a Sequential of {KNOWN}, got {got}"]
    known = ACTIVATIONS.get(model.activation.name)
    if known is None:
        return [f"model: expected an activation of {', '.join(ACTIVATIONS)}, got {model.activation.name!r}"]
    values = model.activation.apply(torch.from_numpy(_GRID)).numpy()
    if not np.allclose(values, known.value(_GRID), rtol=1e-9, atol=1e-9):
        return [f"model: expected the {model.activation.name} of certificates, got one of that name that differs"]
    return []


def described_network(problem: Problem, quantity: str) -> DescribedNetwork:
    """Describe a network without obstacles.

    Raises:
        InputError: if the quantity is not known for it, or the module computes something else than its layers say.
    """
    model = problem.model
    if isinstance(model, MLP):
        return DescribedNetwork(model.sizes[-1], {name: name for name in problem.base_params}, model.activation.name)
    assert isinstance(model, ModuleFunction)
    parts = list(layers_of(model.module))
    layers = [words_of(part) for _, part in parts]
    constants = {name: value.detach() for name, value in model.module.named_parameters() if not value.requires_grad}
    names = {value: name for name, value in model.module.named_parameters()}  # tensors are keys by identity
    places = {
        f"layers.{number}.{kind}": names[value]
        for number, (_, part) in enumerate(parts)
        for kind, value in part.named_parameters(recurse=False)
    }
    shape = list(problem.inputs.shape[1:])
    num_outputs = _compared(problem, model, layers, places, constants)
    if (activation := _perceptron(layers, places, shape)) is not None:
        if quantity in OF_A_PERCEPTRON:
            _refuse_what_moves_otherwise(quantity, places, constants)
        first = layers[0]["kind"] == "flatten"
        renamed = {_renamed(name, skip=int(first)): place for name, place in places.items()}
        return DescribedNetwork(num_outputs, renamed, activation, frozen=constants)
    if quantity in OF_A_PERCEPTRON:
        raise InputError(
            "quantity: expected alignment or every-batch for a network other than a perceptron, which is linear layers "
            f"with biases and the same activation between any two of them, got {quantity!r}"
        )
    return DescribedNetwork(num_outputs, places, "", layers, shape, constants)


def _refuse_what_moves_otherwise(quantity: str, places: dict[str, str], constants: Params) -> None:
    # The student of a certificate moves every layer by the gradient of this layer alone. The other two quantities
    # follow the teacher only, whose direction is 0 where it is frozen and the same in both places of a layer.
    names = list(places.values())
    frozen = [name for name in names if name in constants]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    for kind, found in (("parameters that do not require a gradient", frozen), ("a layer that stands twice", twice)):
        if found:
            raise InputError(
                f"quantity: expected alignment or every-batch for a network with {kind} ({', '.join(found)}), "
                f"got {quantity!r}"
            )


def _compared(
    problem: Problem, model: ModuleFunction, layers: list[Words], places: dict[str, str], constants: Params
) -> int:
    # The module may be anything that calls itself a layer; a network built from the words alone has to agree with it.
    params = {name: value.double() for name, value in problem.base_params.items()}
    own = module_of(layers, {name.removeprefix("layers."): (constants | params)[at] for name, at in places.items()})
    with torch.no_grad():
        expected, found = own(problem.inputs.double()), model.double()(params, problem.inputs.double())
    if expected.ndim != 2:
        raise InputError(f"model: expected one row of outputs per input, got {list(expected.shape)}")
    size = float(expected.abs().max())
    if expected.shape != found.shape or not torch.allclose(found, expected, rtol=0.0, atol=_ROUNDING * size):
        raise InputError("model: expected the outputs that its layers have one after the other, got others")
    return int(expected.shape[1])


def _perceptron(layers: list[Words], places: dict[str, str], shape: list[int]) -> str | None:
    """Return the activation of layers that are those of a perceptron, else None."""
    kinds = [words["kind"] for words in layers]
    skip = int(kinds[0] == "flatten")
    kinds = kinds[skip:]
    linear, between = kinds[::2], set(kinds[1::2])
    biases = all(f"layers.{skip + 2 * number}.bias" in places for number in range(len(linear)))
    if (skip or len(shape) == 1) and set(linear) == {"linear"} and biases and len(kinds) % 2 and len(between) <= 1:
        activation = next(iter(between), "tanh")  # of one layer alone there is none
        return activation if activation in ACTIVATIONS else None
    return None


def _renamed(name: str, *, skip: int) -> str:
    _, number, kind = name.split(".")
    return f"layers.{(int(number) - skip) // 2}.{kind}"
