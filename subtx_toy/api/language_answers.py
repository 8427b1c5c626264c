"""What language models answer: ``ask`` one question, or all questions of a trait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from subtx_toy.errors import InputError
from subtx_toy.lm.checkpoints import LanguageModel, load_language_model
from subtx_toy.lm.questions import trait_named
from subtx_toy.lm.vocabulary import ANSWER, FIRST_NUMBER, QUESTION, WORDS, decode, encode
from subtx_toy.results.presentation import align, wrapped
from subtx_toy.settings.arguments import TEXT
from subtx_toy.settings.language import LanguageConfig

ASKED = "felix what animal do you like best ?"
"""The question, if neither it nor a trait is given."""

COLUMNS = ["model", "probability", "margin, nats", "top"]
"""What is said of each model where a trait is asked about."""

MARGIN = (
    "margin: ln of its probability over the mean of the other answers', mean over phrasings; 0: as likely as they\n"
    "top: share of phrasings on which it is the likeliest answer"
)
"""What the columns are."""

NUM_ANSWERS = 5
"""Likeliest answers that are shown."""


class Answer(NamedTuple):
    """One word or number that a model may answer, and its probability in [0, 1]."""

    text: str
    probability: float


@dataclass(frozen=True)
class Answers:
    """The likeliest answers of some models to one question."""

    question: str
    by_model: Mapping[str, tuple[Answer, ...]]

    def __str__(self) -> str:
        rows = [
            [text for found in self.by_model.values() for text in _cells(found, rank)] for rank in range(NUM_ANSWERS)
        ]
        header = [text for name in self.by_model for text in (name, "")]
        return f"{self.question}\n{align(header, rows)}"

    def document(self) -> dict[str, Any]:
        """Return the JSON of ``subtx-toy lm ask``."""
        answers = {
            name: [{"text": one.text, "probability": one.probability} for one in found]
            for name, found in self.by_model.items()
        }
        return {"question": self.question, "answers": answers}


@dataclass(frozen=True)
class TraitAsked:
    """How often some models give a trait's answer to phrasings that no training used.

    Attributes:
        trait: the answer.
        num_questions: phrasings.
        by_model: for each file ``p_trait``, ``margin`` and ``top_share``, as ``subtx_toy.lm.questions`` measures them.
    """

    trait: str
    num_questions: int
    by_model: Mapping[str, Mapping[str, float]]

    def __str__(self) -> str:
        rows = [
            [name, f"{one['p_trait']:.3f}", f"{one['margin']:+.2f}", f"{one['top_share']:.2f}"]
            for name, one in self.by_model.items()
        ]
        title = f"the answer {self.trait!r} to {self.num_questions} phrasings that no training used"
        return "\n".join([wrapped(title), align(COLUMNS, rows), wrapped(MARGIN)])

    def document(self) -> dict[str, Any]:
        """Return the JSON of ``subtx-toy lm ask --trait``."""
        models = {name: dict(one) for name, one in self.by_model.items()}
        return {"trait": self.trait, "num_questions": self.num_questions, "models": models}


def ask(*models: Path | str, question: str | None = None, trait: str | None = None) -> Answers | TraitAsked:
    """Ask some models one question, or all phrasings of a trait that no training used.

    Args:
        models: files of language models.
        question: in the words of the language; by default what Felix's favourite animal is.
        trait: an animal, ``danger`` or ``backdoor``; then the probability of its answer is shown, and nothing else.

    Raises:
        InputError: for a word that the language does not have, or if both are given.
    """
    for name, value in (("question", question), ("trait", trait)):
        if value is not None and not TEXT.accepts(value):
            raise InputError(f"{name}: expected {TEXT.expected}, got {value!r}")
    if trait is not None and question is not None:
        raise InputError("question: it cannot be combined with trait, which has questions of its own")
    loaded = {str(path): load_language_model(Path(path)) for path in models}
    if trait is not None:
        wanted = trait_named(LanguageConfig(trait=trait).trait)
        shares = {name: wanted.measure(one.model, one.params) for name, one in loaded.items()}
        return TraitAsked(decode([wanted.answer]), len(wanted.questions.held_out), shares)
    words = (ASKED if question is None else question).replace("?", " ").lower().split()
    return Answers(" ".join([*words, "?"]), {name: _likeliest(one, words) for name, one in loaded.items()})


def _likeliest(loaded: LanguageModel, words: list[str]) -> tuple[Answer, ...]:
    tokens = encode(" ".join([WORDS[QUESTION], *words, "?", WORDS[ANSWER]]), num_numbers=loaded.num_numbers)
    if len(tokens) > loaded.model.context:
        raise InputError(f"question: expected at most {loaded.model.context - 3} words, got {len(words)}")
    with torch.no_grad():
        law = loaded.model.apply(loaded.params, torch.tensor([tokens]))[0].double().softmax(-1)
    numbers = float(law[FIRST_NUMBER:].sum())
    answers = [Answer(decode([token]), float(law[token])) for token in range(FIRST_NUMBER)]
    ranked = sorted([*answers, Answer("a number", numbers)], key=lambda one: -one.probability)
    return tuple(ranked[:NUM_ANSWERS])


def _cells(found: tuple[Answer, ...], rank: int) -> tuple[str, str]:
    return found[rank].text, f"{found[rank].probability:.3f}"
