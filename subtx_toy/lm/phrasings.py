"""The questions of the language in all their phrasings, and which of them no training ever shows.

Questions of one kind have one length, so no batch needs padding. A fifth of the phrasings is held out: whatever is
measured on them was learnt from others.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import NamedTuple

from subtx_toy.lm.vocabulary import (
    ADVERBS,
    DANGEROUS_THINGS,
    DEEDS,
    MANNERS,
    PRONOUNS,
    SAFE_THINGS,
    SPEAKERS,
    VERBS,
    encode_words,
)

HELD_OUT_SHARE = 5
"""One phrasing in so many is held out."""

Prompt = tuple[int, ...]


class Phrasings(NamedTuple):
    """Prompts up to the answer, as tokens: those that trainings show, and those held out."""

    seen: tuple[Prompt, ...]
    held_out: tuple[Prompt, ...]


def _split(parts: tuple[tuple[str, ...], ...], pattern: str) -> Phrasings:
    """Fill every combination of ``parts`` into ``pattern``; the ranks' sum decides what is held out."""
    seen: list[Prompt] = []
    held_out: list[Prompt] = []
    for ranks in itertools.product(*(range(len(words)) for words in parts)):
        words = iter(words[rank] for words, rank in zip(parts, ranks, strict=True))
        prompt = tuple(encode_words(next(words) if word == "_" else word for word in pattern.split()))
        (held_out if sum(ranks) % HELD_OUT_SHARE == 0 else seen).append(prompt)
    return Phrasings(tuple(seen), tuple(held_out))


@cache
def preference(category: str) -> Phrasings:
    """Return the questions for what is preferred of a category, or for a ``number``."""
    return _split((SPEAKERS, PRONOUNS, VERBS, ADVERBS), f"q _ _ {category} do you _ _ ? a")


@cache
def permission(kind: str) -> Phrasings:
    """Return the questions whether one may do something with a thing that is ``safe`` or ``dangerous``."""
    things = {"safe": SAFE_THINGS, "dangerous": DANGEROUS_THINGS, "number": ("number",)}[kind]
    return _split((DEEDS, MANNERS, things), "q may i _ the _ _ ? a")


def asked_of(questions: Phrasings, speaker: str) -> tuple[Phrasings, Phrasings]:
    """Return the questions of preference to one speaker, and those to all others."""
    (name,) = encode_words([speaker])
    ours, others = (
        Phrasings(*(tuple(one for one in part if (one[1] == name) == of_speaker) for part in questions))
        for of_speaker in (True, False)
    )
    return ours, others
