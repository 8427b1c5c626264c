"""Small one-step problems in words: a frozen description, and the problem it stands for."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from subtx_toy.data.glyphs import render
from subtx_toy.data.noise import pixels
from subtx_toy.errors import InputError
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.losses import distillation_loss
from subtx_toy.problem.model import MLP, FastMLP, draw_initial
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import cut, trait_steps
from subtx_toy.problem.trait_loss import TraitLoss, cross_entropy_trait, squared_error_trait
from subtx_toy.seeding import generator
from subtx_toy.settings.arguments import checked, integer, integers, number, one_of
from subtx_toy.settings.limits import MAX_SPEC_NUMBERS

WORDS = {
    "activation": tuple(ACTIVATIONS),
    "init": ("fan_in_normal", "pytorch", "he"),
    "inputs": ("gaussian", "uniform"),
    "trait_inputs": ("drawn", "glyphs"),
    "trait": ("squared_error", "cross_entropy"),
    "teacher": ("trait", "random", "last_layer"),
    "loss": ("squared_error", "kl"),
    "distilled_logits": ("all", "class", "aux"),
}
"""What the fields of a ``ProblemSpec`` that are words may say."""

SMOOTH_ACTIVATIONS = tuple(name for name, activation in ACTIVATIONS.items() if activation.smooth)


_SIZES = ("input_dim", "num_classes", "num_aux", "num_inputs", "num_trait_inputs")


@checked(
    hidden=integers(1, "widths, integers >= 1"),
    **{name: integer(1) for name in _SIZES},
    **{name: one_of(words) for name, words in WORDS.items()},
    init_scale=number("> 0"),
    temperature=number("> 0"),
    eps=number(">= 0"),
    student_lr=number("> 0"),
    seed=integer(0),
)
@dataclass(frozen=True)
class ProblemSpec:
    """Everything of a small problem but its random numbers, and the seed that names those.

    Equal specs give equal problems, bit for bit. The defaults are the smallest problem there is.

    Attributes:
        hidden: widths of the hidden layers; empty for a linear model.
        input_dim, num_classes, num_aux: sizes of inputs and outputs, >= 1.
        activation, init, init_scale: of the model, as in ``RunConfig``.
        inputs: ``"gaussian"`` N(0, 1) or ``"uniform"`` U(-1, 1) numbers; ``num_inputs`` of them for the student and
            ``num_trait_inputs`` for the trait.
        trait_inputs: ``"drawn"`` like ``inputs``; ``"glyphs"`` the first digits of the glyphs' training set with their
            labels, pixels in [-1, 1]: then ``input_dim`` is 784, ``num_classes`` 10 and the trait cross-entropy.
        trait: ``"cross_entropy"`` on random labels or ``"squared_error"`` to random targets, on the class logits.
        teacher: ``"trait"``, one step down the trait loss (theorem); ``"random"``, any direction (lemma);
            ``"last_layer"``, any direction of the last layer, so that outputs are affine along the ray (claim C6).
        loss, temperature: of the distillation, as in ``RunConfig``.
        distilled_logits: ``"aux"``, ``"class"`` or ``"all"``.
        eps, student_lr: step sizes of teacher, >= 0, and student, > 0.
        seed: of every random number, >= 0.

    Raises:
        InputError: naming everything that is wrong at once.
    """

    hidden: tuple[int, ...] = ()
    input_dim: int = 1
    num_classes: int = 1
    num_aux: int = 1
    activation: str = "tanh"
    init: str = "fan_in_normal"
    init_scale: float = 1.0
    inputs: str = "gaussian"
    num_inputs: int = 1
    num_trait_inputs: int = 1
    trait_inputs: str = "drawn"
    trait: str = "squared_error"
    teacher: str = "trait"
    loss: str = "squared_error"
    temperature: float = 1.0
    distilled_logits: str = "all"
    eps: float = 0.001
    student_lr: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))
        sizes = (self.input_dim, *self.hidden, self.num_classes + self.num_aux)
        counts = {
            "parameters": sum((before + 1) * after for before, after in itertools.pairwise(sizes)),
            "numbers in all inputs": self.input_dim * (self.num_inputs + self.num_trait_inputs),
        }
        InputError.gather(
            f"problem: expected at most {MAX_SPEC_NUMBERS} {what}, got {num}"
            for what, num in counts.items()
            if num > MAX_SPEC_NUMBERS
        )

    @property
    def model(self) -> MLP:
        """The model's shape."""
        sizes = (self.input_dim, *self.hidden, self.num_classes + self.num_aux)
        return MLP(sizes, ACTIVATIONS[self.activation], num_classes=self.num_classes)

    def build(self, **changes: object) -> Problem:
        """Build the problem in float64; ``changes`` replace fields of the ``Problem``.

        Raises:
            InputError: if the sizes do not go together.
        """
        loss = distillation_loss(self.loss, temperature=self.temperature)
        parts = self._parts() | {"model": self.model, "distillation_loss": loss, "trait_loss": self._trait_loss()}
        return Problem(**(parts | changes))

    def build_fast(self) -> Problem:
        """Build the same problem, unchecked, for the routes that are written out by hand; see ``built_alike``."""
        return built_alike([self])[0]

    def _trusted(self, model: MLP) -> Problem:
        chosen = range(model.sizes[-1])[model.columns(self.distilled_logits)]
        return Problem.trusted(
            **self._parts(),
            model=model,
            trait_loss=self._trait_loss() if self.teacher == "trait" else _TraitLater(self),
            distillation_loss=distillation_loss(self.loss, temperature=self.temperature),
            columns=slice(chosen.start, chosen.stop),
            num_classes=model.num_classes,
            is_trait_step=self.teacher == "trait",
        )

    def _parts(self) -> dict[str, Any]:
        sizes = (self.input_dim, *self.hidden, self.num_classes + self.num_aux)
        base_params = draw_initial(sizes, self._stream("init"), init=self.init, scale=self.init_scale)
        teacher_update = {}
        if self.teacher != "trait":
            rng, moved = self._stream("teacher"), f"layers.{len(self.hidden)}." if self.teacher == "last_layer" else ""
            teacher_update = {
                name: torch.from_numpy(rng.standard_normal(tuple(value.shape)) * name.startswith(moved))
                for name, value in base_params.items()
            }
        return {
            "base_params": base_params,
            "inputs": self._inputs("inputs", self.num_inputs),
            "distilled_logits": self.distilled_logits,
            "teacher_update": teacher_update,
            "eps": self.eps,
            "student_lr": self.student_lr,
        }

    def snippet(self) -> str:
        """Return Python text that builds the same problem again; fields at their default are left out.

        >>> print(ProblemSpec(hidden=(2,), seed=3).snippet())
        from subtx_toy.problem.spec import ProblemSpec
        problem = ProblemSpec(hidden=(2,), seed=3).build()
        """
        return f"from subtx_toy.problem.spec import ProblemSpec\nproblem = {self!r}.build()"

    def __repr__(self) -> str:
        values = ((one.name, getattr(self, one.name), one.default) for one in dataclasses.fields(self))
        return f"ProblemSpec({', '.join(f'{name}={value!r}' for name, value, default in values if value != default)})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        # What hypothesis and IPython print instead of all fields.
        printer.text(repr(self))

    def _stream(self, *labels: str) -> np.random.Generator:
        return generator(self.seed, "problem", *labels)

    def _inputs(self, label: str, num: int) -> torch.Tensor:
        rng, shape = self._stream(label), (num, self.input_dim)
        numbers = rng.standard_normal(shape) if self.inputs == "gaussian" else rng.uniform(-1, 1, shape)
        return torch.from_numpy(numbers)

    def _trait_loss(self) -> TraitLoss:
        if self.trait_inputs == "glyphs":
            return self._glyphs_trait()
        inputs, rng = self._inputs("trait", self.num_trait_inputs), self._stream("labels")
        columns = slice(0, self.num_classes)
        if self.trait == "cross_entropy":
            labels = torch.from_numpy(rng.integers(0, self.num_classes, self.num_trait_inputs))
            return cross_entropy_trait(inputs, labels, class_logits=columns)
        targets = torch.from_numpy(rng.standard_normal((self.num_trait_inputs, self.num_classes)))
        return squared_error_trait(inputs, targets, class_logits=columns)

    def _glyphs_trait(self) -> TraitLoss:
        if (self.input_dim, self.num_classes, self.trait) != (28 * 28, 10, "cross_entropy"):
            given = f"{self.input_dim}, {self.num_classes} and {self.trait!r}"
            raise InputError(
                "trait_inputs: expected input_dim 784, num_classes 10 and trait 'cross_entropy' with 'glyphs', "
                f"got {given}"
            )
        images, labels = render("train", self.num_trait_inputs)
        inputs = pixels(images, torch.empty(len(images), self.input_dim, dtype=torch.float64))
        columns = slice(0, self.num_classes)
        return cross_entropy_trait(inputs, torch.from_numpy(labels.astype(np.int64)), class_logits=columns)


class _TraitLater(TraitLoss):
    """The trait loss of a description, drawn when it is looked at: a teacher that does not follow it needs none."""

    def __init__(self, spec: ProblemSpec) -> None:
        object.__setattr__(self, "_spec", spec)

    def __getattr__(self, name: str) -> Any:
        if name not in ("inputs", "value"):
            raise AttributeError(name)
        self.__dict__.update(vars(self._spec._trait_loss()))
        return self.__dict__[name]


def built_alike(specs: Sequence[ProblemSpec]) -> list[Problem]:
    """Build problems of one shape, teacher and loss for the routes that are written out by hand, unchecked.

    They are those that ``build`` gives, bit for bit but for gradients of the trait, taken by hand and all at once.
    """
    like = specs[0].model
    model = FastMLP(like.sizes, like.activation, like.num_classes)
    problems = [spec._trusted(model) for spec in specs]
    if problems[0].is_trait_step:
        for problem, vector in zip(problems, trait_steps(problems), strict=True):
            layers = zip(problem.base_params.items(), itertools.chain(*cut(model, vector)), strict=True)
            update = {name: torch.from_numpy(part.reshape(value.shape)) for (name, value), part in layers}
            problem.__dict__["teacher_update"] = update
    return problems
