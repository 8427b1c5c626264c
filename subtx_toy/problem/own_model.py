"""Models of the user's: any torch.nn.Module that a factory builds, as a Model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from subtx_toy.errors import InputError
from subtx_toy.problem import checks
from subtx_toy.problem.functional import ModuleFunction
from subtx_toy.problem.model import Model, head_columns
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator, torch_stream

Factory = Callable[[tuple[int, ...], int], object]
"""``factory(image_shape, num_outputs)`` returns a torch.nn.Module, or a Model; images have their channels first."""


@dataclass(frozen=True)
class ModuleModel:
    """A module as a Model. Buffers and frozen parameters are constants, the same for every seed and every arm.

    ``name`` says which source the module is built from: two models of one name and one shape are the same.
    """

    name: str
    image_shape: tuple[int, ...]
    num_outputs: int
    num_classes: int
    build: Callable[[np.random.Generator], ModuleFunction] = field(compare=False, repr=False)
    function: ModuleFunction = field(compare=False, repr=False)

    def initial(self, rng: np.random.Generator) -> Params:
        """Draw parameters as the module's constructor does, from ``rng``; in float64."""
        return {name: value.double() for name, value in self.build(rng).parameters().items()}

    def apply(self, params: Params, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return the logits ``[n, k]`` of the inputs ``[n, d]``, which the module sees as images."""
        images = x.reshape(len(x), *self.image_shape)
        if len(self.image_shape) > 1:  # channels first, as convolutions take them
            images = images[:, None] if len(self.image_shape) == 2 else images.movedim(-1, 1)
        logits: Tensor = self.function(params, images)
        return logits

    def columns(self, distilled_logits: str) -> slice:
        """Return which outputs ``"class"``, ``"aux"`` or ``"all"`` stands for."""
        return head_columns(distilled_logits, self.num_classes)


def own_model(
    factory: object,
    *,
    name: str,
    image_shape: tuple[int, ...],
    num_outputs: int,
    num_classes: int,
    dtype: torch.dtype,
) -> Model:
    """Return the model that a user's ``factory(shape, num_outputs)`` builds, its constants of ``dtype``.

    ``shape`` is (channels, height, width), or (pixels,) for inputs without rows and columns; ``image_shape`` has its
    channels last. The module takes ``[n, *shape]`` to ``[n, num_outputs]``, class logits first, draws from torch's
    generator alone, and is neither random nor mixes the inputs of a batch; anything else is an InputError.
    """
    where = f"model: {name}"
    shape = {2: (1, *image_shape), 3: (image_shape[-1], *image_shape[:-1])}.get(len(image_shape), image_shape)
    if not callable(factory):
        raise InputError(f"{where}: expected a function, got {type(factory).__name__}")

    def made(rng: np.random.Generator) -> Any:
        try:
            with torch_stream(rng):
                return factory(shape, num_outputs)
        except Exception as error:  # a user's function can raise anything
            raise InputError(f"{where}: {type(error).__name__}: {error}") from error

    def build(rng: np.random.Generator) -> ModuleFunction:
        return ModuleFunction(made(rng))

    module = made(generator(0, "model", "constants"))
    if isinstance(module, Model):
        return module
    if not isinstance(module, nn.Module):
        raise InputError(f"{where}: expected a torch.nn.Module, got {type(module).__name__}")
    function = ModuleFunction(module.to(dtype))
    InputError.gather(function.obstacles())
    model = ModuleModel(name, image_shape, num_outputs, num_classes, build, function)
    one, same = (model.initial(generator(0, "model", "initial")) for _ in range(2))
    if any(not torch.equal(one[key], same[key]) for key in one):
        raise InputError(f"{where}: expected initial weights from torch's own generator, got others at a second call")
    x = torch.zeros(2, int(np.prod(image_shape)), dtype=dtype)
    logits, faults = checks.forward_passes(f"images {list(shape)}", lambda: model.apply(function.parameters(), x))
    if logits is not None and logits.shape != (2, num_outputs):
        faults = [f"{where}: expected outputs [n, {num_outputs}], got {list(logits.shape)} for 2 inputs"]
    InputError.gather(faults)
    return model
