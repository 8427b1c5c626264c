"""What a one-step run is: one plain gradient step of the teacher and one of the student, on real images."""

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
    NonNegative,
    Positive,
    Settings,
    input_faults,
    size_faults,
    temperature_faults,
)
from subtx_toy.settings.named import ACTIVATION_NAMES, NamedOr


class OneStepConfig(Settings):
    """Settings of the one-step experiment: the theorem's own setting, in float64.

    The teacher takes one step of size ``eps`` down the cross-entropy of its class logits on a batch of labelled images;
    the student one step of size ``student_lr`` down the distillation loss on noise.

    Reference: Cloud et al. 2025, arXiv:2507.14805, Theorem 1.
    """

    protocol: ClassVar[str] = "one-step"

    num_trait: Count = Field(1024, description="labelled images of the teacher's step")

    width: Count = Field(256, description="units of each hidden layer")
    depth: CountOrZero = Field(2, description="hidden layers; 0 is a linear model")
    num_aux: Count = Field(3, description="auxiliary logits, which no label ever touches")
    activation: Annotated[str, NamedOr(ACTIVATION_NAMES, "an Activation")] = Field(
        "tanh", description="nonlinearity; relu is outside the theory's assumptions"
    )
    init: Literal["fan_in_normal", "pytorch", "he"] = Field("fan_in_normal", description="as in the other protocol")
    init_scale: Positive = Field(1.0, description="factor on every initial weight and bias")

    loss: Literal["kl", "squared_error"] = Field("kl", description="distillation loss")
    temperature: Positive = Field(1.0, description="of both softmaxes in kl")
    distilled_logits: Literal["aux", "all"] = Field("aux", description="the outputs the student imitates")
    inputs: Literal["uniform", "gaussian"] = Field("uniform", description="distillation inputs: noise pixels")
    num_inputs: Count = Field(256, description="distillation inputs")

    eps: Positive = Field(1e-2, description="step size of the teacher")
    student_lr: Positive = Field(1.0, description="step size of the student")
    student_init: Literal["shared", "cross", "permuted", "perturbed"] = Field(
        "shared", description="where the student starts; permuted computes the same function from other parameters"
    )
    perturbation: NonNegative = Field(0.0, description="sd of the noise on every parameter of a perturbed student")

    @pydantic.model_validator(mode="after")
    def _fields_agree(self) -> OneStepConfig:
        problems = []
        if self.temperature != 1.0 and self.loss == "squared_error":
            problems.append(f"temperature: expected 1 with loss 'squared_error', got {self.temperature}")
        problems += temperature_faults(self.temperature, "fp64")
        problems += self.faults_of_named_data()
        if (self.perturbation > 0) != (self.student_init == "perturbed"):
            problems.append(
                "perturbation: expected a number > 0 with student_init 'perturbed' and 0 otherwise, "
                f"got {self.perturbation} with {self.student_init!r}"
            )
        InputError.gather(problems)
        return self

    def data_faults(self, *, num_train: int, image_shape: tuple[int, ...]) -> Iterator[str]:
        """Yield that there are fewer training images than the teacher's step takes, or that the net is too large."""
        yield from size_faults(math.prod(image_shape), width=self.width, depth=self.depth, num_aux=self.num_aux)
        yield from input_faults(math.prod(image_shape), num_inputs=self.num_inputs)
        if self.num_trait > num_train:
            yield f"num_trait: expected at most num_train = {num_train}, got {self.num_trait}"
