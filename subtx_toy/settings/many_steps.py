"""What a run of many steps is: a teacher near the shared init, and a student that takes K steps of some optimiser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import pydantic
from pydantic import Field

from subtx_toy.errors import InputError
from subtx_toy.settings.base import (
    Count,
    CountOrZero,
    Positive,
    Settings,
    input_faults,
    size_faults,
    temperature_faults,
)

WITH_MOMENTUM = ("heavy_ball", "nesterov")
LINEAR_RULES = ("gd", *WITH_MOMENTUM)
"""Optimisers whose student the linear theory predicts mode by mode."""

MAX_STEPS = 10_000


class ManyStepsConfig(Settings):
    """Settings of the many-step experiment, in float64 and with a smooth nonlinearity, as the theory asks.

    The teacher stands at the shared init plus ``eps`` times its update; the student takes ``num_steps`` steps on the
    distillation loss over the same noise.
    """

    protocol: ClassVar[str] = "many-steps"

    num_trait: Count = Field(256, description="labelled images behind the trait loss")
    width: Count = Field(32, description="units of each hidden layer")
    depth: CountOrZero = Field(2, description="hidden layers; 0 is a linear model")
    num_aux: Count = Field(3, description="auxiliary logits, which no label ever touches")
    activation: Literal["tanh", "gelu", "softplus", "sigmoid"] = Field("tanh", description="nonlinearity, smooth")
    init: Literal["fan_in_normal", "pytorch", "he"] = Field("fan_in_normal", description="as in the other protocols")
    init_scale: Positive = Field(1.0, description="factor on every initial weight and bias")

    loss: Literal["kl", "squared_error"] = Field("kl", description="distillation loss")
    temperature: Positive = Field(1.0, description="of both softmaxes in kl")
    distilled_logits: Literal["aux", "all"] = Field("aux", description="the outputs the student imitates")
    inputs: Literal["uniform", "gaussian"] = Field("uniform", description="distillation inputs: noise pixels")
    num_inputs: Count = Field(64, description="distillation inputs")

    teacher: Literal["gradient", "top_mode"] = Field(
        "gradient", description="its update: minus the trait loss's gradient, or the first eigenvector of G"
    )
    eps: Positive = Field(1e-3, description="step size of the teacher")
    optimizer: Literal["gd", "heavy_ball", "nesterov", "sign", "rmsprop", "adam"] = Field(
        "gd", description="of the student; each as torch takes its steps"
    )
    momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(
        0.0, description="of heavy_ball and nesterov"
    )
    student_step: Positive = Field(
        1.0,
        description="step size times the largest eigenvalue of G; of sign, rmsprop and adam, step size over the root "
        "mean square of the teacher's move",
    )
    num_steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] = Field(100, description="steps of the student")

    @pydantic.model_validator(mode="after")
    def _fields_agree(self) -> ManyStepsConfig:
        problems = []
        if self.temperature != 1.0 and self.loss == "squared_error":
            problems.append(f"temperature: expected 1 with loss 'squared_error', got {self.temperature}")
        problems += temperature_faults(self.temperature, "fp64")
        if self.loss == "kl" and self.distilled_logits == "aux" and self.num_aux == 1:
            problems.append(
                "num_aux: expected an integer >= 2 with loss 'kl', for the softmax of one logit is 1, got 1"
            )
        if (self.momentum > 0) != (self.optimizer in WITH_MOMENTUM):
            problems.append(
                "momentum: expected a number > 0 with optimizer 'heavy_ball' or 'nesterov' and 0 otherwise, "
                f"got {self.momentum} with {self.optimizer!r}"
            )
        problems += self.faults_of_named_data()
        InputError.gather(problems)
        return self

    def data_faults(self, *, num_train: int, image_shape: tuple[int, ...]) -> Iterator[str]:
        """Yield that there are fewer training images than the trait loss reads, or that the net is too large."""
        yield from size_faults(math.prod(image_shape), width=self.width, depth=self.depth, num_aux=self.num_aux)
        yield from input_faults(math.prod(image_shape), num_inputs=self.num_inputs)
        if self.num_trait > num_train:
            yield f"num_trait: expected at most num_train = {num_train}, got {self.num_trait}"
