"""What a model is, and the multi-layer perceptrons with a head split into class logits and auxiliary logits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.errors import InputError
from subtx_toy.problem.activations import ACTIVATIONS, Activation, activation_of
from subtx_toy.problem.params import Params
from subtx_toy.settings.arguments import Kind, checked, integer, integers, number, one_of
from subtx_toy.settings.datasets import NUM_CLASSES
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.messages import nearest
from subtx_toy.settings.one_step import OneStepConfig

_ACTIVATION = Kind(
    f"an Activation or one of {', '.join(map(repr, ACTIVATIONS))}",
    lambda value: isinstance(value, Activation) or (isinstance(value, str) and value in ACTIVATIONS),
    lambda value: nearest(getattr(value, "__name__", str(value)).lower(), ACTIVATIONS),
)


@runtime_checkable
class Model(Protocol):
    """A function of parameters and flattened inputs, and the law its parameters are drawn from."""

    @property
    def num_outputs(self) -> int:
        """Class logits and auxiliary logits together."""

    def initial(self, rng: np.random.Generator) -> Params:
        """Draw parameters in float64; the same stream gives the same ones."""

    def apply(self, params: Params, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return the logits ``[n, k]`` of the inputs ``[n, d]``."""

    def columns(self, distilled_logits: str) -> slice:
        """Return which outputs ``"class"``, ``"aux"`` or ``"all"`` stands for."""


@runtime_checkable
class HiddenModel(Model, Protocol):
    """A model whose last hidden layer can be looked at."""

    def hidden(self, params: Params, x: Float[Tensor, "n d"]) -> Float[Tensor, "n h"]:
        """Return the activations ``[n, h]`` of the last hidden layer."""


@checked(
    sizes=integers(1, "the widths of two layers or more"),
    activation=_ACTIVATION,
    num_classes=integer(0),
    init=one_of(("fan_in_normal", "pytorch", "he")),
    init_scale=number("> 0"),
)
@dataclass(frozen=True)
class MLP:
    """The shape of a multi-layer perceptron: ``sizes[0]`` inputs, hidden layers, ``sizes[-1]`` outputs.

    Parameters are named ``layers.0.weight`` ``[out, in]``, ``layers.0.bias`` ``[out]``, and so on. The first
    ``num_classes`` outputs are the class logits, the others the auxiliary logits. The activation may be given by name.
    ``init`` and ``init_scale`` say how ``initial`` draws the parameters.

    >>> MLP((3, 4, 5), "tanh", num_classes=2)
    MLP((3, 4, 5), 'tanh', num_classes=2)

    Raises:
        InputError: naming everything that is wrong at once.
    """

    sizes: tuple[int, ...]
    activation: Activation
    num_classes: int = NUM_CLASSES
    init: str = "fan_in_normal"
    init_scale: float = 1.0

    if TYPE_CHECKING:

        def __init__(
            self,
            sizes: Sequence[int],
            activation: Activation | str,
            num_classes: int = NUM_CLASSES,
            init: str = "fan_in_normal",
            init_scale: float = 1.0,
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        if isinstance(self.activation, str):
            object.__setattr__(self, "activation", ACTIVATIONS[self.activation])
        if len(self.sizes) < 2:
            raise InputError(f"sizes: expected the widths of two layers or more, got {self.sizes}")
        if self.num_classes > self.sizes[-1]:
            raise InputError(
                f"num_classes: expected at most {self.sizes[-1]}, the number of outputs, got {self.num_classes}"
            )

    def __repr__(self) -> str:
        return f"MLP({self.sizes}, {self.activation.name!r}, num_classes={self.num_classes})"

    @classmethod
    def from_config(cls, config: RunConfig | OneStepConfig, *, input_dim: int, num_classes: int = NUM_CLASSES) -> MLP:
        """Build the net that ``config`` describes, for inputs of ``input_dim`` pixels."""
        sizes = (input_dim, *(config.width,) * config.depth, num_classes + config.num_aux)
        return cls(sizes, activation_of(config), num_classes, config.init, config.init_scale)

    @property
    def num_layers(self) -> int:
        """Affine layers: one more than there are hidden ones."""
        return len(self.sizes) - 1

    @property
    def num_outputs(self) -> int:
        """Class logits and auxiliary logits together."""
        return self.sizes[-1]

    @property
    def param_names(self) -> tuple[str, ...]:
        """Names of the parameters, from the inputs on."""
        return tuple(f"layers.{at}.{kind}" for at in range(self.num_layers) for kind in ("weight", "bias"))

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters by name, from the inputs on."""
        pairs = itertools.pairwise(self.sizes)
        shapes = (shape for below, above in pairs for shape in ((above, below), (above,)))
        return dict(zip(self.param_names, shapes, strict=True))

    def columns(self, distilled_logits: str) -> slice:
        """Return which outputs ``"class"``, ``"aux"`` or ``"all"`` stands for."""
        return head_columns(distilled_logits, self.num_classes)

    def initial(self, rng: np.random.Generator) -> Params:
        """Draw the parameters, in float64.

        ``"fan_in_normal"``: weights N(0, 1/d_in), biases 0 (Cloud et al. 2025, arXiv:2507.14805). ``"he"``: weights
        N(0, 2/d_in), biases 0 (He et al. 2015, arXiv:1502.01852). ``"pytorch"``: weights and biases uniform within
        1/sqrt(d_in) of zero, as torch.nn.Linear does. All are multiplied by ``init_scale``.
        """
        return draw_initial(self.sizes, rng, init=self.init, scale=self.init_scale)

    def apply(self, params: Params, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return the logits ``[n, k]`` of the inputs ``[n, d]``."""
        head = f"layers.{self.num_layers - 1}"
        return F.linear(self.hidden(params, x), params[f"{head}.weight"], params[f"{head}.bias"])

    def hidden(self, params: Params, x: Float[Tensor, "n d"]) -> Float[Tensor, "n h"]:
        """Return the activations ``[n, h]`` of the last hidden layer, or the inputs where there is none."""
        for layer in range(self.num_layers - 1):
            x = self.activation.apply(F.linear(x, params[f"layers.{layer}.weight"], params[f"layers.{layer}.bias"]))
        return x


def head_columns(distilled_logits: str, num_classes: int) -> slice:
    """Return which outputs ``"class"``, ``"aux"`` or ``"all"`` stands for, where class logits come first."""
    slices = {"class": slice(0, num_classes), "aux": slice(num_classes, None), "all": slice(None)}
    if distilled_logits not in slices:
        raise ValueError(f"distilled_logits: expected one of {sorted(slices)}, got {distilled_logits!r}")
    return slices[distilled_logits]


class FastMLP(MLP):
    """The same net; theory and training differentiate it by passes written out by hand, and not by autograd."""


def draw_initial(sizes: Sequence[int], rng: np.random.Generator, *, init: str, scale: float) -> Params:
    """Draw the parameters of a perceptron of these sizes: see ``MLP.initial``."""
    params: Params = {}
    for layer, (d_in, d_out) in enumerate(itertools.pairwise(sizes)):
        bias = np.zeros(d_out)
        if init == "fan_in_normal":
            weight = rng.standard_normal((d_out, d_in)) * d_in**-0.5
        elif init == "he":
            weight = rng.standard_normal((d_out, d_in)) * (2 / d_in) ** 0.5
        else:
            weight = rng.uniform(-1, 1, (d_out, d_in)) * d_in**-0.5
            bias = rng.uniform(-1, 1, d_out) * d_in**-0.5
        params[f"layers.{layer}.weight"] = torch.from_numpy(scale * weight)
        params[f"layers.{layer}.bias"] = torch.from_numpy(scale * bias)
    return params


def accuracy(class_logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> float:
    """Return the share of inputs whose largest class logit is that of the label, in [0, 1].

    Ties go to the lowest class, as torch.argmax does; a model that answers nan is right about nothing.
    """
    right = class_logits.argmax(dim=-1).eq(labels) & ~torch.isnan(class_logits).any(dim=-1)
    return int(right.sum()) / len(labels)
