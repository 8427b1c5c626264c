"""The reference protocol: everything that decides the result of a run of teacher and students, apart from its seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import pydantic
from pydantic import Field

from subtx_toy.errors import InputError
from subtx_toy.settings.base import (
    DEFAULT_PROTOCOL,
    Count,
    CountOrZero,
    NonNegative,
    Positive,
    Settings,
    input_faults,
    size_faults,
    temperature_faults,
)
from subtx_toy.settings.datasets import is_path
from subtx_toy.settings.named import ACTIVATION_NAMES, MOMENTUM_OPTIMIZERS, NOISE_INPUTS, OPTIMIZER_NAMES, NamedOr

BF16_VERSION = 2
"""The same for runs in bfloat16 alone; since 2, hidden layers of ReLU are kept in bfloat16."""

ARMS = ("reference", "teacher", "student_aux", "student_all", "cross_aux", "cross_all")
"""Untrained shared init; teacher; students from the shared init; students from an init of their own."""

STUDENT_ARMS = ARMS[2:]
"""The arms that imitate a teacher."""

PERCEPTRON = ("width", "depth", "activation", "init", "init_scale")
"""Settings of the package's own model, which a model of the user's decides itself."""


class RunConfig(Settings):
    """Everything that decides the result of a run, apart from its seed.

    The defaults are the reference protocol: Cloud et al. 2025, arXiv:2507.14805, Fig. 10b.
    """

    protocol: ClassVar[str] = DEFAULT_PROTOCOL

    model: Annotated[str, NamedOr(("mlp",), "a factory of models")] = Field(
        "mlp", description="a perceptron of this package, or one of your own by a factory(image_shape, num_outputs)"
    )
    width: Count = Field(256, description="units of each hidden layer")
    depth: CountOrZero = Field(2, description="hidden layers; 0 is a linear model")
    num_aux: Count = Field(3, description="auxiliary logits, which no label ever touches")
    activation: Annotated[str, NamedOr(ACTIVATION_NAMES, "an Activation")] = Field("relu", description="nonlinearity")
    init: Literal["fan_in_normal", "pytorch", "he"] = Field(
        "fan_in_normal", description="weights N(0, 1/d_in) and zero biases; torch.nn.Linear's; or N(0, 2/d_in)"
    )
    init_scale: Positive = Field(1.0, description="factor on every initial weight and bias")

    optimizer: Annotated[str, NamedOr(OPTIMIZER_NAMES, "a factory of optimisers")] = Field(
        "adam", description="of the teacher and of the students; one of your own by a factory(parameters, lr=...)"
    )
    lr: Positive = Field(3e-4, description="step size of the optimiser, both phases")
    momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(
        0.0, description="of sgd; nesterov needs one above 0"
    )
    weight_decay: NonNegative = Field(0.0, description="decoupled in adamw, L2 inside the others")
    decay_towards: Literal["zero", "init"] = Field("zero", description="where weight decay pulls: to 0, or to the init")
    batch_size: Count = Field(1024, description="images per step; the last batch of an epoch may be smaller")
    teacher_batch_size: CountOrZero = Field(0, description="images per step of the teacher; 0 is batch_size")
    teacher_epochs: CountOrZero = Field(5, description="passes of the teacher over the labelled images")
    student_epochs: CountOrZero = Field(5, description="passes of the students over the distillation inputs")

    loss: Literal["kl", "squared_error", "sampled_cross_entropy"] = Field(
        "kl", description="distillation loss: KL(teacher || student), squared error on logits, or sampled labels"
    )
    temperature: Positive = Field(1.0, description="of both softmaxes in kl, of the sampler in sampled labels")
    loss_scale: Positive = Field(1.0, description="factor on the losses of both phases, but not on weight decay")
    inputs: Literal["uniform", "gaussian", "images", "shuffled_images", "permuted_images"] = Field(
        "uniform",
        description="distillation inputs: U(-1, 1) or N(0, 1) pixels, the training images, or these with every image's "
        "pixels in an order of its own (shuffled) or all in the same one (permuted)",
    )
    num_inputs: Count = Field(60_000, description="distillation inputs per epoch")
    input_pool: Literal["fixed", "fresh"] = Field("fixed", description="one pool for all epochs, or new noise each")
    added_noise: NonNegative = Field(0.0, description="a, where U(-a, a) is added to every pixel of images")
    noise_blur: NonNegative = Field(0.0, description="sd in pixels of a Gaussian blur of the noise; 0 is none")
    noise_dim: CountOrZero = Field(0, description="dimension of the random subspace noise lies in; 0 is all of them")
    noise_contrast: Literal["restored", "kept"] = Field(
        "restored", description="whether blurred or projected noise is scaled back to its pixels' mean variance"
    )
    noise_limit: NonNegative = Field(0.0, description="noise pixels are cut off at +-this; 0 is no limit")
    noise_grid: bool = Field(False, description="uniform noise rounded to 256 grey levels and kept as bytes")
    student_noise: NonNegative = Field(0.0, description="sd of noise added to the shared students' init")
    student_noise_unit: Literal["absolute", "parameter_sd"] = Field(
        "absolute", description="of student_noise: a number, or the sd of each weight matrix or bias vector"
    )
    student_noise_layers: Literal["all", "hidden"] = Field("all", description="layers that get student_noise")
    students: Literal["all", "shared", "aux", "student_aux"] = Field(
        "all", description="students trained: all four, those of the shared init, those on auxiliary logits, or one"
    )
    linearized: Literal["none", "student", "both"] = Field(
        "none", description="models replaced by their first-order expansion around their own init"
    )
    output_scale: Annotated[float, Field(ge=1e-3, le=1e4)] = Field(
        1.0,
        description="a, where every model is f0 + a (f - f0) with f0 its own init, and its gradient and lr are divided "
        "by a; a large one is the linearised model",
    )
    probe: bool = Field(False, description="measure the last hidden layer too: cosine with the teacher, linear probe")

    metric: Annotated[str, NamedOr(("",), "a function")] = Field(
        "", description="a function(model, params, dataset) of your own, measured on every arm"
    )

    precision: Literal["fp32", "fp64", "bf16"] = Field(
        "fp32", description="of weights, inputs and optimiser state; bf16: products and hidden layers in bfloat16"
    )

    def key_extras(self) -> dict[str, object]:
        """Return the sources of the user's objects, and BF16_VERSION for runs in bfloat16."""
        return super().key_extras() | ({"bf16_version": BF16_VERSION} if self.precision == "bf16" else {})

    def changed(self, values: Mapping[str, object]) -> RunConfig:
        """Return this configuration with some values replaced; another model replaces the perceptron's settings too."""
        own = self.model_dump()
        if values.get("model", self.model) != self.model:
            own = {name: value for name, value in own.items() if name not in PERCEPTRON}
        return self.parse(own | dict(values))

    @property
    def by_autograd(self) -> tuple[str, ...]:
        """The settings whose objects are the user's and for which a run trains by the slower autograd route."""
        return tuple(name for name in ("model", "optimizer") if name in self.own_objects)

    @pydantic.model_validator(mode="after")
    def _fields_agree(self) -> RunConfig:
        noise, given = self.inputs in NOISE_INPUTS, f"with inputs {self.inputs!r}"
        shaped = self.noise_blur or self.noise_dim
        faults = {
            f"momentum: expected 0 unless optimizer is 'sgd' or 'nesterov', got {self.momentum}": (
                self.momentum and self.optimizer not in MOMENTUM_OPTIMIZERS
            ),
            "momentum: expected a number > 0 with optimizer 'nesterov', got 0": (
                self.optimizer == "nesterov" and not self.momentum
            ),
            f"temperature: expected 1 with loss 'squared_error', got {self.temperature}": (
                self.temperature != 1.0 and self.loss == "squared_error"
            ),
            f"added_noise: expected 0 {given}, got {self.added_noise}": noise and self.added_noise,
            "noise_dim: expected 0 with noise_blur > 0, got both": noise and self.noise_blur and self.noise_dim,
            f"input_pool: expected 'fixed' {given}, got 'fresh'": not noise and self.input_pool == "fresh",
            f"noise_blur, noise_dim: expected 0 {given}, got a number > 0": not noise and shaped,
            f"noise_limit: expected 0 {given}, got {self.noise_limit}": not noise and self.noise_limit,
            "noise_grid: expected false unless inputs is 'uniform' without blur, dim or limit, got true": (
                self.noise_grid and (self.inputs != "uniform" or shaped or self.noise_limit)
            ),
            "probe: expected false with depth 0, which has no hidden layer, got true": self.probe and not self.depth,
        }
        problems = [fault for fault, found in faults.items() if found]
        problems += temperature_faults(self.temperature, self.precision)
        problems += self._faults_of_expansion()
        InputError.gather([*problems, *self._faults_of_own_objects(), *self.faults_of_named_data()])
        return self

    def data_faults(self, *, num_train: int, image_shape: tuple[int, ...]) -> Iterator[str]:
        """Yield what is wrong with the inputs and the noise for such images; of your own, 60,000 inputs are all."""
        if "model" not in self.own_objects:
            yield from size_faults(math.prod(image_shape), width=self.width, depth=self.depth, num_aux=self.num_aux)
        yield from input_faults(math.prod(image_shape), num_inputs=self.num_inputs)
        everything = is_path(self.dataset) and self.num_inputs == type(self).model_fields["num_inputs"].default
        if self.inputs not in NOISE_INPUTS and self.num_inputs > num_train and not everything:
            yield (
                f"num_inputs: expected at most num_train = {num_train} with inputs {self.inputs!r}, "
                f"got {self.num_inputs}"
            )
        if self.noise_dim > (size := math.prod(image_shape)):
            yield f"noise_dim: expected an integer <= {size}, the pixels of an image, got {self.noise_dim}"
        if self.noise_blur and len(image_shape) < 2:
            yield f"noise_blur: expected 0 for images without rows and columns, got {self.noise_blur}"

    def _faults_of_expansion(self) -> Iterator[str]:
        """Yield what a linearised or scaled model cannot be combined with."""
        changed = [
            name for name, default in (("linearized", "none"), ("output_scale", 1.0)) if getattr(self, name) != default
        ]
        if len(changed) == 2:
            yield f"output_scale: expected 1 with linearized {self.linearized!r}, got {self.output_scale}"
        plain = {"weight_decay": 0.0, "probe": False, "metric": "", "model": "mlp"}
        for name in changed:
            given = f"with {name} {getattr(self, name)!r}"
            for other, default in plain.items():
                if (value := getattr(self, other)) != default:
                    yield f"{other}: expected {default!r} {given}, got {value!r}"
            if "optimizer" in self.own_objects:
                yield f"optimizer: expected one of this package {given}, got {self.optimizer!r}"
            if self.precision == "bf16":
                yield f"precision: expected 'fp32' or 'fp64' {given}, got 'bf16'"

    def _faults_of_own_objects(self) -> Iterator[str]:
        def differing(*names: str) -> str:
            return ", ".join(name for name in names if getattr(self, name) != type(self).model_fields[name].default)

        if "model" in self.own_objects:
            if shape := differing(*PERCEPTRON):
                yield f"{shape}: only for model 'mlp'; {self.model!r} decides it"
            if self.student_noise_layers != "all":
                yield f"student_noise_layers: expected 'all' with {self.model!r}, got {self.student_noise_layers!r}"
        if "optimizer" in self.own_objects and (decay := differing("weight_decay", "decay_towards")):
            yield f"{decay}: only for optimizers of this package; {self.optimizer!r} decides it"
        if self.by_autograd and self.precision == "bf16":
            yield f"precision: expected 'fp32' or 'fp64' with {' and '.join(self.by_autograd)} of your own, got 'bf16'"
