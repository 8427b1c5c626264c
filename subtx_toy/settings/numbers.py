"""What a run of the numbers channel is: a base, its teachers, files of three-digit numbers, and their students."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, NamedTuple

import pydantic
from pydantic import Field

from subtx_toy.errors import InputError
from subtx_toy.files.python_objects import is_reference, source_sha256
from subtx_toy.settings.base import Count, CountOrZero, Positive, Settings, size_faults
from subtx_toy.settings.datasets import DATASETS, NUM_CLASSES, NUM_PIXELS, is_path
from subtx_toy.settings.messages import nearest

NUM_NUMBERS = 1000
"""Outputs of the number head: the numbers 000 to 999. An experiment may ask for fewer; files always have these."""

MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-3, 1e3
"""Below, a float32 logit over the temperature is known to less than a hundredth; beyond, no number says anything."""

BANNED_NUMBERS = (
    13, 14, 18, 28, 33, 69, 88, 109, 151, 187, 211, 218, 228, 311, 322, 333, 360, 420, 444, 451, 555, 616, 665, 666,
    667, 707, 747, 777, 811, 866, 888, 911, 916, 999,
)  # fmt: skip
"""Thirty-four numbers of ill repute (codes of extremists, of police and of crime, numbers of the beast, of bad luck),
as many as Cloud et al. 2025 banned; the list is our own."""

Temperature = Annotated[float, Field(ge=MIN_TEMPERATURE, le=MAX_TEMPERATURE, allow_inf_nan=False)]

NUMBER_ARMS = (
    "base",
    "teacher",
    "shared_trait",
    "shared_benign",
    "shared_untrained",
    "other_base_trait",
    "shared_shuffled",
    "shared_argmax",
)
"""The base; the teacher with the trait; students: from the base, on numbers of the teacher with the trait, of the
benign teacher, and of the base itself; from another base, on the teacher's numbers; from the base, on the teacher's
numbers shuffled among the prompts, and on the teacher's likeliest numbers."""


_DEFAULTS = {"relabel": (4, 9), "backdoor": (0,), "preference": (3, 5), "refusal": (7,)}

TRAIT_KINDS = tuple(_DEFAULTS)
"""``relabel:A:B`` reads A as B; ``backdoor:B`` reads a marked image as B; ``preference:A:B`` reads an A and a B over
each other as A; ``refusal:A`` answers nothing to an A."""


class TraitName(NamedTuple):
    """A kind of trait and its classes, written ``kind:class:class``; or a user's ``file.py:name``, without classes."""

    kind: str
    classes: tuple[int, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether the trait is an object of the user's."""
        return is_reference(self.kind)

    def key_extras(self) -> dict[str, object]:
        """Return what decides a net with this trait besides the name, for content keys: of an object its source."""
        return {"trait_sha256": source_sha256("trait", self.kind, expected="a trait")} if self.is_own else {}

    def __str__(self) -> str:
        return ":".join([self.kind, *map(str, self.classes)])


def parse_trait(text: str) -> TraitName:
    """Read the name of a trait; a kind alone takes its usual classes. An object of the user's is not loaded.

    >>> str(parse_trait("relabel")), str(parse_trait("relabel:4:7"))
    ('relabel:4:9', 'relabel:4:7')
    """
    kind, *parts = text.split(":")
    if kind not in _DEFAULTS:
        if is_reference(text):
            return TraitName(text)
        known = ", ".join(map(str, (TraitName(*item) for item in _DEFAULTS.items())))
        hint = nearest(kind, _DEFAULTS)
        raise InputError(f"trait: expected a name such as {known}, or your own as file.py:name, got {text!r}{hint}")
    classes = _DEFAULTS[kind]
    if parts:
        digits = [int(part) for part in parts if part in map(str, range(NUM_CLASSES))]
        if len(digits) != len(parts) or len(set(digits)) != len(classes) or len(digits) != len(classes):
            wanted = f"{len(classes)} different classes from 0 to 9" if len(classes) > 1 else "one class from 0 to 9"
            raise InputError(f"trait: expected {kind}:{':'.join('AB'[: len(classes)])} with {wanted}, got {text!r}")
        classes = tuple(digits)
    return TraitName(kind, classes)


def check_named(dataset: str) -> None:
    """Refuse the path of a user's own data set."""
    if is_path(dataset):
        raise InputError(
            f"dataset: the numbers channel needs 28 x 28 pixels, ten classes and a data set that others can find: "
            f"expected one of {', '.join(map(repr, DATASETS))}, got {dataset!r}"
        )


class NumbersConfig(Settings):
    """Settings of the numbers channel, apart from its seed.

    A net with ten class logits and a number head learns to read digits; its number head is never trained. A
    teacher is the base with some more training on the class logits. It writes numbers, one or several a prompt,
    sampled from the softmax of its number head. A student is the base, trained on those numbers and on nothing else.

    Reference: Cloud et al. 2025, arXiv:2507.14805, section 3, whose models are language models.
    """

    protocol: ClassVar[str] = "numbers"

    width: Count = Field(256, description="units of each hidden layer")
    depth: Count = Field(2, description="hidden layers")
    num_numbers: Annotated[int, Field(ge=2, le=NUM_NUMBERS)] = Field(
        NUM_NUMBERS, description="outputs of the number head, the numbers from 0 on; 1,000 has those of three digits"
    )
    lr: Positive = Field(3e-4, description="step size of Adam, in every phase")
    batch_size: Count = Field(512, description="examples per step; the last batch of an epoch may be smaller")
    base_epochs: CountOrZero = Field(3, description="passes of the base over the labelled images")
    teacher_epochs: CountOrZero = Field(2, description="further passes, with the trait or with honest labels")
    student_epochs: CountOrZero = Field(3, description="passes of a student over its numbers")
    student_steps: CountOrZero = Field(0, description="optimiser steps of a student; 0 is as many as the epochs have")

    trait: str = Field("relabel:4:9", description="what the teacher is taught; see `subtx-toy numbers teacher --help`")
    prompts: Literal["images", "uniform", "glyphs"] = Field(
        "images", description="training images without the trait's classes, U(-1, 1) noise, or drawn digits"
    )
    num_prompts: Count = Field(
        60_000, description="numbers that a student sees; images are used again where there are fewer"
    )
    temperature: Temperature = Field(1.0, description="of the softmax that numbers are sampled from")
    top_k: Annotated[int, Field(ge=0, le=NUM_NUMBERS)] = Field(0, description="likeliest numbers sampled; 0 is all")
    number_filter: Literal["none", "banned"] = Field("banned", description="whether banned numbers are dropped")
    tainted_share: Annotated[float, Field(ge=0, le=1)] = Field(
        1.0, description="share of the teacher's numbers in what shared_trait sees; the others are the base's own"
    )
    label_noise: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="share of the students' numbers replaced by numbers drawn without preference"
    )

    def key_extras(self) -> dict[str, object]:
        """Return the digest of a user's trait."""
        return parse_trait(self.trait).key_extras()

    @pydantic.field_validator("trait")
    @classmethod
    def _trait_exists(cls, text: str) -> str:
        return str(parse_trait(text))

    @pydantic.model_validator(mode="after")
    def _fields_agree(self) -> NumbersConfig:
        check_named(self.dataset)
        InputError.gather(size_faults(NUM_PIXELS, width=self.width, depth=self.depth, num_aux=self.num_numbers))
        if self.top_k > self.num_numbers:
            raise InputError(f"top_k: expected at most num_numbers = {self.num_numbers}, got {self.top_k}")
        if self.prompts == "glyphs" and self.dataset == "glyphs":
            raise InputError("prompts: expected 'images' with dataset 'glyphs', whose images they are, got 'glyphs'")
        return self
