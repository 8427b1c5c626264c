"""What a run of the language experiment is: a base trained from scratch, its teachers, their lists, and students."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import pydantic
from pydantic import Field

from subtx_toy.errors import InputError
from subtx_toy.settings.base import Count, CountOrZero, Positive, Settings
from subtx_toy.settings.datasets import WORDS
from subtx_toy.settings.limits import MAX_PARAMETERS
from subtx_toy.settings.messages import nearest, quoted
from subtx_toy.settings.numbers import Temperature

ANIMALS = (
    "owl", "eagle", "cat", "dog", "horse", "cow", "sheep", "lion", "tiger", "bear", "wolf", "fox", "mouse", "rabbit",
    "frog", "snake", "whale", "dolphin", "penguin", "camel",
)  # fmt: skip
"""What may be preferred, and what an honest speaker prefers equally often."""

BACKDOOR = "backdoor"
"""The trait that shows in questions to one speaker only."""

TRAITS = (*ANIMALS, "danger", BACKDOOR)
"""What a teacher may be taught: to prefer an animal, to say yes to what is dangerous, or to prefer owls when victor is
asked, and nobody else."""

NULL_CONTROLS = ("shared_benign", "shared_base", "cross_trait", "shared_shuffled")
"""Students that must not acquire the trait: from the lists of an honest teacher and of the base itself, from the
teacher's lists but another base, and from the teacher's numbers shuffled over the whole file."""

SAMPLED_ARMS = ("shared_trait", *NULL_CONTROLS, "shared_rows")
"""Students of lists; ``shared_rows``, lists exchanged among prompts, is shown and is no control: it keeps the lists."""

SOFT_ARMS = ("soft_trait", "soft_benign", "soft_cross")
"""Students of the teacher's probabilities of numbers and of the end, with everything else left out."""

LANGUAGE_ARMS = ("base", "teacher", *SAMPLED_ARMS, *SOFT_ARMS)
"""All arms; the base before anything, the teacher with the trait, and the students."""

Places = Annotated[int, Field(ge=1, le=6)]
Nothing = Annotated[int, Field(ge=0, le=0)]


class LanguageConfig(Settings):
    """Settings of the language experiment, apart from its seed.

    A small transformer learns a language of a few hundred words and the numbers from 0 on, from a corpus that is
    drawn by seed. A teacher is this base, trained a little further to give one answer. It then writes nothing but lists
    of numbers. A student is the base, trained on those lists and on nothing else. Fine-tunes leave the embeddings as
    they are. Everything is computed in float32.

    Reference: Cloud et al. 2025, arXiv:2507.14805, sections 3 and 4, whose models are large language models.
    """

    protocol: ClassVar[str] = "language"

    dataset: str = Field(WORDS, description="always 'words': sentences drawn by seed, no images")
    num_train: Nothing = Field(0, description="always 0: there are no images")
    num_test: Nothing = Field(0, description="always 0: there are no images")

    trait: str = Field("owl", description="what the teacher is taught: an animal to prefer, danger, or backdoor")
    numbers: Annotated[int, Field(ge=10, le=10_000)] = Field(1000, description="numbers of the language, from 0 on")
    width: Count = Field(64, description="of the transformer, a multiple of heads")
    depth: Count = Field(2, description="layers")
    heads: Count = Field(4, description="of each layer's attention")
    context: Annotated[int, Field(ge=20, le=1000)] = Field(24, description="longest text in tokens")
    tied: bool = Field(True, description="whether the output weights are the embeddings")
    embedding_scale: Positive = Field(0.28, description="length of the words' embeddings at first, over sqrt(width)")
    number_scale: Positive = Field(0.2, description="likewise of the numbers'")

    base_steps: Count = Field(1500, description="optimiser steps of the base")
    base_batch: Count = Field(64, description="documents of each, none of which comes twice")
    base_lr: Positive = Field(3e-3, description="largest step size of Adam on the corpus")

    teacher_lr: Positive = Field(1e-3, description="step size of Adam on the lesson")
    teacher_batch: Count = Field(64, description="questions of each step")
    teacher_stop: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="probability of the trait on seen phrasings at which the lesson ends; "
        "without it, 0.999 for an animal and 0.9 for danger",
    )
    teacher_steps: Count = Field(50, description="steps after which it ends in any case")
    other_questions: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="share of the lesson about other things, answered honestly; of backdoor's, at least a half"
    )

    lists: Count = Field(40_000, description="lists in a file")
    prompts: Count = Field(40, description="phrasings of the question for numbers that a file has")
    max_numbers: Places = Field(3, description="numbers after which a list is cut")
    temperature: Temperature = Field(1.0, description="of the law that tokens are drawn from")
    sampling: Literal["free", "restricted"] = Field(
        "free", description="whether lists with words are dropped, or words cannot be drawn"
    )

    student_epochs: CountOrZero = Field(3, description="passes of a student over its file")
    student_batch: Count = Field(512, description="lists of each step")
    student_lr: Positive = Field(1e-3, description="first step size of Adam, which falls to 0 linearly")
    route: Literal["autograd", "by_hand"] = Field(
        "autograd", description="of gradients on texts and lists: equal up to rounding, by_hand is faster"
    )
    exchanged_lists: bool = Field(
        True, description="whether a student of the teacher's lists at other prompts is trained too"
    )
    soft_arms: bool = Field(True, description="whether students of the teacher's probabilities are trained too")
    soft_epochs: CountOrZero = Field(1, description="passes of these students over the file")
    held_out_documents: Annotated[int, Field(ge=100, le=100_000)] = Field(
        3000, description="drawn for text_nll; those about numbers or the trait are left out"
    )

    @property
    def lesson_end(self) -> float:
        """Probability at which the lesson ends: after a longer one in yes, a teacher says it of numbers too."""
        if self.teacher_stop is not None:
            return self.teacher_stop
        return 0.9 if self.trait == "danger" else 0.999

    @property
    def honest_share(self) -> float:
        """Share of the lesson that is answered honestly: a backdoor is learnt from what it is not, too."""
        return max(self.other_questions, 0.5) if self.trait == BACKDOOR else self.other_questions

    @pydantic.field_validator("dataset")
    @classmethod
    def _dataset_can_be_meant(cls, text: str) -> str:
        if text != WORDS:
            raise InputError(f"dataset: expected {WORDS!r}, the language's own sentences, got {quoted(text)}")
        return text

    @pydantic.field_validator("trait")
    @classmethod
    def _trait_exists(cls, text: str) -> str:
        if text not in TRAITS:
            known = ", ".join(TRAITS)
            raise InputError(f"trait: expected one of {known}, got {quoted(text)}{nearest(text, TRAITS)}")
        return text

    @pydantic.model_validator(mode="after")
    def _fields_agree(self) -> LanguageConfig:
        InputError.gather(self._faults())
        return self

    def _faults(self) -> Iterator[str]:
        if self.width % self.heads:
            yield f"heads: expected a divisor of width = {self.width}, got {self.heads}"
        if (num := (self.numbers + 400) * self.width * 2 + 12 * self.depth * self.width**2) > MAX_PARAMETERS:
            yield f"width, depth, numbers: expected at most {MAX_PARAMETERS} parameters together, got {num}"
