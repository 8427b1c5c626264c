"""What a run of the mechanism protocol is: the reference protocol with one of its causes changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import pydantic
from pydantic import Field

from subtx_toy.errors import InputError
from subtx_toy.settings.base import Count, CountOrZero, NonNegative, Positive, size_faults
from subtx_toy.settings.datasets import NUM_PIXELS
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.named import ACTIVATION_NAMES, MOMENTUM_OPTIMIZERS, NOISE_INPUTS, OPTIMIZER_NAMES

Part = Literal["nothing", "first_layer", "hidden", "class_head", "aux_head", "everything"]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
PositiveShare = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]

EDITS = {
    "frozen": "nothing", "clip_gradient": 0.0, "clip_each": 0.0, "gradient_noise": 0.0, "trait_gradient": "ignored",
}  # fmt: skip
"""Settings that change the students' gradients, with their defaults."""


class MechanismConfig(RunConfig):
    """Settings of the reference protocol, and those that exchange a cause, clean the file or undo what it did."""

    protocol: ClassVar[str] = "mechanism"

    students: Literal["all", "shared", "aux", "student_aux", "cross_aux"] = Field(  # type: ignore[assignment]
        "aux", description="students trained: all four, those of the shared init, those on auxiliary logits, or one"
    )
    loss: Literal["kl", "squared_error", "sampled_cross_entropy", "reverse_kl", "jensen_shannon"] = Field(  # type: ignore[assignment]
        "kl", description="distillation loss: KL(teacher || student), squared error on logits, sampled labels, "
        "KL(student || teacher), or their divergence from the mean of both"
    )  # fmt: skip

    redrawn: Part = Field("nothing", description="part of the shared students' init that is drawn again")
    redrawn_share: PositiveShare = Field(1.0, description="share of that part that is drawn again")
    redrawn_as: Literal["entries", "mixture"] = Field(
        "entries", description="by weights chosen at random, or sqrt(1 - share) old + sqrt(share) new in each"
    )
    other_units: Literal["drawn", "permuted", "matched"] = Field(
        "drawn", description="order of the hidden units in the init that redrawn parts and cross students have: as "
        "drawn, at random, or matched to the teacher's by their weights"
    )  # fmt: skip
    frozen: Part = Field("nothing", description="part of the students that never moves")
    student_depth: CountOrZero = Field(
        0, description="hidden layers of students that share the heads alone and have a body of their own; 0 is a body "
        "of the teacher's shape, from the teacher's init"
    )  # fmt: skip
    student_body: Literal["perceptron", "convolutions"] = Field(
        "perceptron", description="what is below the students' heads; convolutions are a body of their own, of two "
        "convolutional layers and one of width units"
    )  # fmt: skip
    student_activation: str = Field("", description="nonlinearity of the students; empty is the teacher's")
    student_dropout: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(
        0.0, description="share of the students' hidden units that is dropped in every step"
    )
    student_optimizer: str = Field("", description="optimiser of the students; empty is the teacher's")
    student_lr: NonNegative = Field(0.0, description="step size of the students; 0 is lr")
    student_momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(
        0.0, description="momentum of a student_optimizer sgd or nesterov"
    )
    matching_epochs: CountOrZero = Field(
        0, description="epochs in which the cross students first imitate all logits of the untrained teacher"
    )
    matching_inputs: Literal["uniform", "gaussian", "images"] = Field(
        "uniform", description="inputs of that imitation: fresh noise, or the training images"
    )

    labels: Literal["true", "random"] = Field(
        "true", description="of the teacher; random ones are tested on training images that students do not see"
    )
    tainted_share: Share = Field(
        1.0, description="share of the inputs that the teacher answers; the untrained teacher answers the rest"
    )
    selected_share: PositiveShare = Field(1.0, description="share of the answered inputs that is kept")
    selected_by: Literal["score", "chance", "other_score"] = Field(
        "score", description="the log-probability under the teacher less that under the untrained teacher, chance, or "
        "that score by a teacher of the cross students' init"
    )  # fmt: skip
    second_task: Literal["", "parity", "ink"] = Field(
        "", description="what the teacher learns besides, on a head of its own: whether the label is odd, or which "
        "tenth of the images, by ink, an image is in"
    )  # fmt: skip
    imitated: Literal["aux", "second"] = Field(
        "aux", description="what students on auxiliary logits imitate: those, or the logits of the second task"
    )
    benign_epochs: CountOrZero = Field(
        0, description="further epochs, on answers of the untrained teacher to new inputs"
    )
    restart_optimizer: bool = Field(False, description="whether the optimiser forgets its state before these epochs")
    generations: Count = Field(1, description="students in a chain, each of which has the one before as its teacher")

    target_noise: NonNegative = Field(0.0, description="sd of noise added to the teacher's logits, once per input")
    target_temperature: Positive = Field(1.0, description="what the teacher's logits are divided by")
    target_top_k: CountOrZero = Field(0, description="logits of an answer that are kept, the largest; 0 is all")
    clip_gradient: NonNegative = Field(0.0, description="largest norm of a student's mean gradient; 0 is none")
    clip_each: NonNegative = Field(0.0, description="largest norm of the gradient of a single input; 0 is none")
    gradient_noise: NonNegative = Field(
        0.0, description="sd of noise on each entry of a batch's summed gradient, in units of clip_each"
    )
    trait_gradient: Literal["ignored", "measured", "projected"] = Field(
        "ignored", description="whether the trait's gradient is compared with the students' in every step, and taken "
        "out of theirs wherever they would lower the trait loss"
    )  # fmt: skip
    anchor: NonNegative = Field(
        0.0, description="weight of a penalty on the change of a student's class logits since its start"
    )
    anchor_by: Literal["squared_error", "kl"] = Field(
        "squared_error", description="that penalty: half the squared change, or KL(start || student) of the classes"
    )
    anchor_width: NonNegative = Field(0.0, description="change of a class logit that the squared error leaves free")

    measure: Literal["accuracy", "imitation", "kernels", "bits"] = Field(
        "accuracy", description="what is measured besides: how much of the teacher's change of the auxiliary logits "
        "arrives; kernels and Jacobians at the students' start, compared with those at the teacher's; or bits per label"
    )  # fmt: skip

    @property
    def by_autograd(self) -> tuple[str, ...]:
        """The settings for which a run trains by the slower autograd route."""
        slow = {"student_dropout": self.student_dropout, "student_body": self.student_body == "convolutions"}
        return (*super().by_autograd, *(name for name, value in slow.items() if value))

    @property
    def own_body(self) -> bool:
        """Whether the students share nothing but the heads with their teacher."""
        return bool(self.student_depth) or self.student_body == "convolutions"

    @pydantic.model_validator(mode="after")
    def _mechanisms_agree(self) -> MechanismConfig:
        InputError.gather(
            [*self._faults_of_names(), *self._faults_of_training(), *self._faults_of_body(), *self._faults_of_answers()]
        )
        return self

    def _faults_of_names(self) -> Iterator[str]:
        for name, known in (("student_activation", ACTIVATION_NAMES), ("student_optimizer", OPTIMIZER_NAMES)):
            if (value := getattr(self, name)) and value not in known:
                yield f"{name}: expected '' or one of {', '.join(map(repr, known))}, got {value!r}"
        if self.student_momentum and self.student_optimizer not in MOMENTUM_OPTIMIZERS:
            yield f"student_momentum: only of a student_optimizer sgd or nesterov, got {self.student_momentum}"
        if self.student_optimizer == "nesterov" and not self.student_momentum:
            yield "student_momentum: expected a number > 0 with student_optimizer 'nesterov', got 0"

    def _faults_of_training(self) -> Iterator[str]:
        if self.probe:
            yield "probe: expected false, got true"
        plain = (
            self.linearized == "none" and self.output_scale == 1.0 and not self.own_objects and self.precision != "bf16"
        )
        edited = [name for name, default in EDITS.items() if getattr(self, name) != default]
        changed = [*edited, *(name for name in ("student_dropout", "student_activation") if getattr(self, name))]
        changed += ["student_depth, student_body"] if self.own_body else []
        changed += ["redrawn"] if self.redrawn != "nothing" else []
        changed += ["other_units"] if self.other_units != "drawn" else []
        changed += ["restart_optimizer"] if self.restart_optimizer else []
        changed += ["measure"] if self.measure == "kernels" else []
        if changed and not plain:
            yield (
                f"{changed[0]}: only for models and optimisers of this package in fp32 or fp64, "
                "neither linearised nor scaled"
            )
        if edited and self.student_dropout:
            yield f"{edited[0]}: cannot be combined with student_dropout"
        if self.gradient_noise and not self.clip_each:
            yield f"gradient_noise: expected 0 without clip_each, got {self.gradient_noise}"
        if self.redrawn == "nothing" and (self.redrawn_share != 1.0 or self.redrawn_as != "entries"):
            yield "redrawn_share, redrawn_as: only with a part that is redrawn"
        if not self.depth and {self.redrawn, self.frozen} & {"first_layer", "hidden"}:
            yield "redrawn, frozen: expected no hidden layer with depth 0"
        if self.restart_optimizer and not self.benign_epochs:
            yield "restart_optimizer: expected false with benign_epochs 0, got true"
        if self.anchor and self.students not in ("aux", "student_aux", "cross_aux"):
            yield f"anchor: expected students on auxiliary logits alone, got students {self.students!r}"
        if self.anchor and self.loss == "sampled_cross_entropy":
            yield "anchor: cannot be combined with loss 'sampled_cross_entropy'"

    def _faults_of_body(self) -> Iterator[str]:
        if not self.own_body:
            return
        if self.student_depth and self.student_body == "convolutions":
            yield f"student_depth: expected 0 with student_body 'convolutions', got {self.student_depth}"
        yield from size_faults(NUM_PIXELS, width=self.width, depth=self.student_depth, num_aux=self.num_aux)
        plain = {
            "redrawn": "nothing", "other_units": "drawn", "student_noise": 0.0, "student_dropout": 0.0,
            "second_task": "", "anchor": 0.0, **EDITS,
        }  # fmt: skip
        for name, default in plain.items():
            if (value := getattr(self, name)) != default:
                yield f"{name}: expected {default!r} for students with a body of their own, got {value!r}"
        if not self.depth:
            yield "depth: expected 1 or more for students with a body of their own, got 0"
        if self.measure == "kernels":
            yield "measure: 'kernels' are of students with the teacher's shape"

    def _faults_of_answers(self) -> Iterator[str]:
        soft = self.loss in ("kl", "reverse_kl", "jensen_shannon")
        if self.target_top_k and self.loss not in ("kl", "sampled_cross_entropy"):
            yield f"target_top_k: expected 0 with loss {self.loss!r}, got {self.target_top_k}"
        if self.temperature != 1.0 and soft and self.loss != "kl":
            yield f"temperature: expected 1 with loss {self.loss!r}, got {self.temperature}"
        fixed = self.inputs not in NOISE_INPUTS or self.input_pool == "fixed"
        per_line = self.tainted_share not in (0.0, 1.0) or self.target_noise or self.selected_share != 1.0
        if per_line and not fixed:
            yield "tainted_share, target_noise, selected_share: expected input_pool 'fixed', got 'fresh'"
        if self.selected_share != 1.0 and (
            self.loss != "sampled_cross_entropy" or self.students not in ("aux", "student_aux", "cross_aux")
        ):
            yield "selected_share: only with loss 'sampled_cross_entropy' and students on auxiliary logits alone"
        yield from self._faults_of_labels()
        if self.generations > 1 and self.students not in ("student_aux", "aux", "all"):
            yield f"generations: expected a student_aux among the students, got students {self.students!r}"

    def _faults_of_labels(self) -> Iterator[str]:
        seen = 0 if self.inputs in NOISE_INPUTS else self.num_inputs
        if self.labels == "random" and (
            self.inputs not in ("images", *NOISE_INPUTS) or self.num_train - seen < self.num_test
        ):
            yield (
                "labels: 'random' needs inputs 'images' with num_inputs + num_test <= num_train, or noise with "
                "num_test <= num_train, to test on training images that students do not see"
            )
        if self.imitated == "second" and not self.second_task:
            yield "imitated: expected 'aux' without a second_task, got 'second'"
        if self.imitated == "second" and self.measure == "kernels":
            yield "measure: 'kernels' are of auxiliary logits, got imitated 'second'"
        apart = {"anchor": 0.0, "student_dropout": 0.0, "labels": "true", "linearized": "none", "output_scale": 1.0}
        if self.second_task:
            for name, default in apart.items():
                if (value := getattr(self, name)) != default:
                    yield f"{name}: expected {default!r} with a second_task, got {value!r}"
            if self.own_objects:
                yield f"second_task: expected '' with {next(iter(self.own_objects))} of your own"
        if not self.anchor and (self.anchor_by != "squared_error" or self.anchor_width):
            yield "anchor_by, anchor_width: only with an anchor > 0"
        if self.anchor_width and self.anchor_by == "kl":
            yield f"anchor_width: expected 0 with anchor_by 'kl', got {self.anchor_width}"
