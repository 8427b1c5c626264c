"""What a run is: one frozen, validated configuration, and the key under which its result is stored."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import pydantic
import tomli_w
from pydantic import BaseModel, ConfigDict, Field

from subtx_toy.errors import InputError
from subtx_toy.files.content_key import seed_keys
from subtx_toy.settings import messages as expected

RESULTS_VERSION = 1
"""Bumped by hand whenever the same configuration and seed give other numbers than before, rounding aside."""

NUM_CLASSES = 10
"""Class logits of every data set here; the auxiliary logits follow them."""

NUM_PIXELS = 28 * 28
"""Pixels of an image of every data set here."""

DEFAULT_PROTOCOL = "distillation"
"""What an experiment file without a protocol runs."""

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

        >>> Settings().override(["num_train=64", "dataset=glyphs"]).num_train
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

    def key_extras(self) -> dict[str, object]:
        """Return what decides the result besides the fields, for the content key."""
        return {}

    def to_toml(self) -> str:
        """Write every field as TOML, defaults included, so that the file stays what it is."""
        return tomli_w.dumps(self.model_dump())


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
    content |= config.key_extras()
    if config.protocol != DEFAULT_PROTOCOL:  # the keys of the first protocol never had its name
        content["protocol"] = config.protocol
    return seed_keys(content, seeds)
