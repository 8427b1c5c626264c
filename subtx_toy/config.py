"""What a run is: one frozen, validated configuration, and the key under which its result is stored."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import pydantic
import tomli_w
from pydantic import BaseModel, ConfigDict, Field

from subtx_toy import expected
from subtx_toy.errors import InputError

RESULTS_VERSION = 1
"""Bumped by hand whenever the same configuration and seed give other numbers than before, rounding aside."""

BF16_VERSION = 2
"""The same for runs in bfloat16 alone; since 2, hidden layers of ReLU are kept in bfloat16."""

OptimizerName = Literal["adam", "adamw", "sgd"]

ARMS = ("reference", "teacher", "student_aux", "student_all", "cross_aux", "cross_all")
"""Untrained shared init; teacher; students from the shared init; students from an init of their own."""

STUDENT_ARMS = ARMS[2:]
"""The arms that imitate a teacher."""

NUM_CLASSES = 10
"""Class logits of every data set here; the auxiliary logits follow them."""

NUM_PIXELS = 28 * 28
"""Pixels of an image of every data set here."""

NOISE_INPUTS = ("uniform", "gaussian")
"""Distillation inputs without content; the others are made of the training images."""

_MOST = 10**8  # of anything counted; more would not fit into a machine's memory

Count = Annotated[int, Field(ge=1, le=_MOST)]
CountOrZero = Annotated[int, Field(ge=0, le=_MOST)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


SettingsT = TypeVar("SettingsT", bound="Settings")  # typing.Self is not understood by the run-time type checker


class Settings(BaseModel):
    """Frozen, validated settings of a run; the protocols' configurations add the fields.

    ``protocol`` names what is run with them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    protocol: ClassVar[str]

    dataset: Literal["mnist", "glyphs", "fashion"] = Field("mnist", description="labelled images of the trait")
    num_train: Count = Field(60_000, description="labelled images the teacher is trained on, or draws from")
    num_test: Count = Field(10_000, description="held-out images every accuracy is measured on")

    @classmethod
    def parse(cls: type[SettingsT], values: Mapping[str, object]) -> SettingsT:
        """Validate ``values``; missing keys take their defaults.

        Raises:
            InputError: naming every field that is wrong, what was expected and what came.
        """
        try:
            return cls.model_validate(dict(values))
        except pydantic.ValidationError as error:
            raise InputError(*expected.explain(cls, error)) from None

    def override(self: SettingsT, assignments: Sequence[str]) -> SettingsT:
        """Return this configuration with ``key=value`` assignments applied; values are written as in TOML.

        Raises:
            InputError: if an assignment cannot be read, repeats a key, or gives a value that is not valid.

        >>> RunConfig().override(["width=64", "loss=squared_error"]).width
        64
        """
        values: dict[str, object] = {}
        problems = []
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals or not key:
                problems.append(f"{assignment!r}: expected key=value, for example width=128")
            elif key in values:
                problems.append(f"{key}: expected one value, got a second one, {text!r}")
            else:
                values[key] = read_value(text)
        try:
            merged = self.parse(self.model_dump() | values)
        except InputError as error:
            raise InputError(*problems, *error.problems) from None
        InputError.gather(problems)
        return merged

    def to_toml(self) -> str:
        """Write every field as TOML, defaults included, so that the file stays what it is."""
        return tomli_w.dumps(self.model_dump())


class RunConfig(Settings):
    """Everything that decides the result of a run, apart from its seed.

    The defaults are the reference protocol: Cloud et al. 2025, arXiv:2507.14805, Fig. 10b.
    """

    protocol: ClassVar[str] = "distillation"

    width: Count = Field(256, description="units of each hidden layer")
    depth: CountOrZero = Field(2, description="hidden layers; 0 is a linear model")
    num_aux: Count = Field(3, description="auxiliary logits, which no label ever touches")
    activation: Literal["relu", "tanh", "gelu", "softplus", "sigmoid"] = Field("relu", description="nonlinearity")
    init: Literal["fan_in_normal", "pytorch", "he"] = Field(
        "fan_in_normal",
        description="weights N(0, 1/d_in) and zero biases; torch.nn.Linear's; or N(0, 2/d_in)",
    )
    init_scale: Positive = Field(1.0, description="factor on every initial weight and bias")

    optimizer: OptimizerName = Field("adam", description="of the teacher and of the students")
    lr: Positive = Field(3e-4, description="step size of the optimiser, both phases")
    momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(0.0, description="of sgd")
    weight_decay: NonNegative = Field(0.0, description="L2 inside adam and sgd, decoupled in adamw")
    decay_towards: Literal["zero", "init"] = Field("zero", description="where weight decay pulls: to 0, or to the init")
    batch_size: Count = Field(1024, description="images a step; the last batch of an epoch may be smaller")
    teacher_batch_size: CountOrZero = Field(0, description="images a step of the teacher; 0 is batch_size")
    teacher_epochs: CountOrZero = Field(5, description="passes of the teacher over the labelled images")
    student_epochs: CountOrZero = Field(5, description="passes of the students over the distillation inputs")

    loss: Literal["kl", "squared_error", "sampled_cross_entropy"] = Field(
        "kl",
        description="distillation loss: KL(teacher || student), squared error on logits, or sampled labels",
    )
    temperature: Positive = Field(1.0, description="of both softmaxes in kl, of the sampler in sampled labels")
    loss_scale: Positive = Field(1.0, description="factor on the losses of both phases, but not on weight decay")
    inputs: Literal["uniform", "gaussian", "images", "shuffled_images", "permuted_images"] = Field(
        "uniform",
        description="distillation inputs: U(-1, 1) or N(0, 1) pixels, the training images, or these with every image's "
        "pixels in an order of its own (shuffled) or all in the same one (permuted)",
    )
    num_inputs: Count = Field(60_000, description="distillation inputs an epoch")
    input_pool: Literal["fixed", "fresh"] = Field("fixed", description="one pool for all epochs, or new noise each")
    added_noise: NonNegative = Field(0.0, description="a, where U(-a, a) is added to every pixel of images")
    noise_blur: NonNegative = Field(0.0, description="sd in pixels of a Gaussian blur of the noise; 0 is none")
    noise_dim: Annotated[int, Field(ge=0, le=NUM_PIXELS)] = Field(
        0, description="dimension of the random subspace noise lies in; 0 is all of them"
    )
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
    probe: bool = Field(False, description="measure the last hidden layer too: cosine with the teacher, linear probe")

    precision: Literal["fp32", "fp64", "bf16"] = Field(
        "fp32", description="of weights, inputs and optimiser state; bf16: products and hidden layers in bfloat16"
    )

    @pydantic.model_validator(mode="after")
    def _fields_agree(self) -> RunConfig:
        problems = []
        if self.momentum and self.optimizer != "sgd":
            problems.append(f"momentum: expected 0 unless optimizer is 'sgd', got {self.momentum}")
        if self.temperature != 1.0 and self.loss == "squared_error":
            problems.append(f"temperature: expected 1 with loss 'squared_error', got {self.temperature}")
        if self.inputs in NOISE_INPUTS:
            if self.added_noise:
                problems.append(f"added_noise: expected 0 with inputs {self.inputs!r}, got {self.added_noise}")
            if self.noise_blur and self.noise_dim:
                problems.append("noise_dim: expected 0 with noise_blur > 0, got both")
        else:
            if self.input_pool == "fresh":
                problems.append(f"input_pool: expected 'fixed' with inputs {self.inputs!r}, got 'fresh'")
            if self.num_inputs > self.num_train:
                problems.append(
                    f"num_inputs: expected at most num_train = {self.num_train} with inputs {self.inputs!r}, "
                    f"got {self.num_inputs}"
                )
            if self.noise_blur or self.noise_dim:
                problems.append(f"noise_blur, noise_dim: expected 0 with inputs {self.inputs!r}, got a number > 0")
            if self.noise_limit:
                problems.append(f"noise_limit: expected 0 with inputs {self.inputs!r}, got {self.noise_limit}")
        if self.noise_grid and (self.inputs != "uniform" or self.noise_blur or self.noise_dim or self.noise_limit):
            problems.append(
                "noise_grid: expected false unless inputs is 'uniform' without blur, dim or limit, got true"
            )
        if self.probe and not self.depth:
            problems.append("probe: expected false with depth 0, which has no hidden layer, got true")
        InputError.gather(problems)
        return self


def read_value(text: str) -> object:
    """Read one value as TOML would, or as a number such as ``.5``; anything else is a plain string.

    >>> read_value("3e-4"), read_value(".5"), read_value("true"), read_value("glyphs")
    (0.0003, 0.5, True, 'glyphs')
    """
    if "\n" in text:  # would be read as several lines of TOML, and all but the first be lost
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # not TOML, thousands of digits, or thousands of brackets
        pass
    try:
        return float(text)
    except ValueError:
        return text


def run_id(config: Settings, *, seed: int, dataset_sha256: str) -> str:
    """Return the content key of one run: 32 hexadecimal digits.

    Equal configuration, seed, data and RESULTS_VERSION (in bfloat16 also BF16_VERSION) give equal keys, whatever the
    time or the machine. Fields that hold their default are left out, so that a field added later does not orphan the
    results already stored; changing a default therefore needs a new RESULTS_VERSION (a test keeps this).
    """
    return run_ids(config, seeds=[seed], dataset_sha256=dataset_sha256)[0]


def run_ids(config: Settings, *, seeds: Iterable[int], dataset_sha256: str) -> list[str]:
    """Return the content keys of one configuration with some seeds, each as ``run_id`` gives it."""
    content: dict[str, Any] = {
        "config": config.model_dump(exclude_defaults=True),
        "dataset_sha256": dataset_sha256,
        "results_version": RESULTS_VERSION,
    }
    if isinstance(config, RunConfig) and config.precision == "bf16":
        content["bf16_version"] = BF16_VERSION
    if config.protocol != RunConfig.protocol:  # the first protocol's keys were made without its name
        content["protocol"] = config.protocol
    # repr of a float round-trips, and sorted keys make the text independent of the order of the fields.
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).removesuffix("}")
    # "seed" comes after every other key, so that what all seeds share is written once.
    return [hashlib.blake2b(f'{text},"seed":{seed}}}'.encode(), digest_size=16).hexdigest() for seed in seeds]
