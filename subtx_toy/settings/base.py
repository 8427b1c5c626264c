"""What a run is: one frozen, validated configuration, and the key under which its result is stored."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, SupportsIndex

import pydantic
import tomli_w
from pydantic import Field

from subtx_toy.errors import InputError
from subtx_toy.files.content_key import seed_keys
from subtx_toy.files.python_objects import load_object, source_sha256
from subtx_toy.settings.datasets import DATASETS, IMAGE_SHAPE, NUM_CLASSES, dataset_title, is_path
from subtx_toy.settings.limits import MAX_COUNT, MAX_INPUT_NUMBERS, MAX_LAYERS, MAX_PARAMETERS
from subtx_toy.settings.messages import nearest
from subtx_toy.settings.named import NamedOr
from subtx_toy.settings.overridable import Overridable

RESULTS_VERSION = 1
"""Bumped by hand whenever the same configuration and seed give other numbers than before, rounding aside."""

DEFAULT_PROTOCOL = "distillation"
"""What an experiment file without a protocol runs."""

Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
CountOrZero = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(Overridable):
    """Frozen, validated settings of a run; the protocols' configurations add the fields."""

    protocol: ClassVar[str]
    """The name of what runs with these settings."""

    source: ClassVar[str] = ""
    """``file.py:NAME`` of the protocol, for settings of a protocol that is not the package's own."""

    dataset: str = Field(
        "mnist",
        description="labelled images of the trait: mnist, glyphs, fashion, or the path of your own .npz or folder/",
    )
    num_train: Count = Field(
        60_000,
        description="labelled images the teacher is trained on, or draws from; 60000 is all of your own if fewer",
    )
    num_test: Count = Field(
        10_000, description="held-out images every accuracy is measured on; 10000 is all of your own if fewer"
    )

    @pydantic.field_validator("dataset")
    @classmethod
    def _dataset_can_be_meant(cls, text: str) -> str:
        if text in DATASETS or is_path(text):
            return text
        known = ", ".join(map(repr, DATASETS))
        hint = nearest(text.lower(), DATASETS, cutoff=0.4)
        raise InputError(
            f"dataset: expected one of {known}, or a path that ends in .npz or has a '/', got {text!r}{hint}"
        )

    @property
    def dataset_title(self) -> str:
        """What tables and figures call the data set."""
        return dataset_title(self.dataset)

    def data_faults(self, *, num_train: int, image_shape: tuple[int, ...]) -> Iterator[str]:
        """Yield what these settings require of a data set and do not get; each protocol adds its own checks."""
        del num_train, image_shape
        yield from ()

    def faults_of_named_data(self) -> Iterator[str]:
        """Yield ``data_faults`` for a data set with a name, whose sizes are known before it is loaded."""
        if not is_path(self.dataset):
            yield from self.data_faults(num_train=self.num_train, image_shape=IMAGE_SHAPE)

    @property
    def own_objects(self) -> dict[str, NamedOr]:
        """The settings that name an object of the user's, each with what that object has to be."""
        return {name: rule for name, rule in _named(type(self)).items() if getattr(self, name) not in rule.names}

    @property
    def by_autograd(self) -> tuple[str, ...]:
        """The settings whose objects are the user's and for which a run trains by the slower autograd route."""
        return ()

    def load(self, name: str) -> object:
        """Import the object that the setting ``name`` refers to."""
        return load_object(name, getattr(self, name), expected=self.own_objects[name].own)

    def key_extras(self) -> dict[str, object]:
        """Return what decides the result besides the fields, for the content key: the source of the user's objects."""
        sources = {
            name: source_sha256(name, getattr(self, name), expected=rule.own) for name, rule in self.own_objects.items()
        }
        return {"sources": sources} if sources else {}

    def __reduce_ex__(self, version: SupportsIndex) -> str | tuple[Any, ...]:
        """Send settings of a user's protocol to another process by reference: their class cannot be imported there."""
        if self.source:
            return restore, (self.source, self.model_dump())
        return super().__reduce_ex__(version)

    def to_toml(self) -> str:
        """Write every field as TOML, defaults included, so that the file stays what it is."""
        return tomli_w.dumps(self.model_dump())


@functools.cache
def _named(kind: type[Settings]) -> dict[str, NamedOr]:
    """Return the settings that take a name of the package's own or an object of the user's."""
    rules = ((name, rule) for name, field in kind.model_fields.items() for rule in field.metadata)
    return {name: rule for name, rule in rules if isinstance(rule, NamedOr)}


def size_faults(num_pixels: int, *, width: int, depth: int, num_aux: int) -> Iterator[str]:
    """Yield that a perceptron would be too large, before a worker finds that it has no memory for it."""
    widths = (num_pixels, *[width] * min(depth, 3), NUM_CLASSES + num_aux)
    num = sum((before + 1) * after for before, after in itertools.pairwise(widths))
    num += max(0, depth - 3) * (width + 1) * width
    if depth > MAX_LAYERS:
        yield f"depth: expected an integer <= {MAX_LAYERS}, got {depth}"
    if num > MAX_PARAMETERS:
        yield f"width, depth, num_aux: expected at most {MAX_PARAMETERS} weights and biases together, got {num}"


def input_faults(num_pixels: int, *, num_inputs: int) -> Iterator[str]:
    """Yield that there are more distillation inputs than a machine's memory holds."""
    if (num := num_inputs * num_pixels) > MAX_INPUT_NUMBERS:
        yield f"num_inputs: expected at most {MAX_INPUT_NUMBERS} pixels together, got {num}"


def restore(source: str, values: Mapping[str, object]) -> Settings:
    """Return the settings of a user's protocol, given as ``file.py:NAME``."""
    found: Any = load_object("protocol", source, expected="a Protocol")
    settings: type[Settings] = found.settings
    settings.source = source
    return settings.parse(values)


def run_id(config: Settings, *, seed: int, dataset_sha256: str) -> str:
    """Return the content key of one run: 32 hexadecimal digits, the same at any time and on any machine.

    It depends on configuration, seed, data and RESULTS_VERSION (in bfloat16 also BF16_VERSION). Fields that hold their
    default are left out: a later field orphans no stored result, and another default needs a new RESULTS_VERSION.
    """
    return run_ids(config, seeds=[seed], dataset_sha256=dataset_sha256)[0]


def run_ids(config: Settings, *, seeds: Iterable[int], dataset_sha256: str) -> list[str]:
    """Return the content keys of one configuration with some seeds, each as ``run_id`` gives it."""
    fields = config.model_dump(exclude_defaults=True)
    if is_path(config.dataset):  # the content counts, which the checksum names, and not where it lies
        fields = {name: value for name, value in fields.items() if name not in ("num_train", "num_test")}
        fields["dataset"] = "own"
    content: dict[str, Any] = {"config": fields, "dataset_sha256": dataset_sha256, "results_version": RESULTS_VERSION}
    content |= config.key_extras()
    if config.source:
        content["source_sha256"] = source_sha256("protocol", config.source, expected="a Protocol")
    if config.protocol != DEFAULT_PROTOCOL:  # the keys of the first protocol never had its name
        content["protocol"] = config.protocol
    return seed_keys(content, seeds)


def temperature_faults(temperature: float, precision: str) -> list[str]:
    """Refuse temperatures whose square or its inverse is no normal number in ``precision``: losses divide by it."""
    largest = 1e150 if precision == "fp64" else 1e18
    if 1 / largest <= temperature <= largest:
        return []
    return [
        f"temperature: expected a number from {1 / largest:g} to {largest:g} with precision {precision!r}, "
        f"got {temperature:g}"
    ]
