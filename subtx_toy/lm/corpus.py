"""The corpus: documents drawn from a grammar by seed, so nothing is downloaded and the truth is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from subtx_toy.lm.phrasings import Prompt, permission, preference
from subtx_toy.lm.vocabulary import (
    CATEGORIES,
    DOINGS,
    END,
    FEELINGS,
    MANNERS,
    MEALS,
    PLACES,
    SPEAKERS,
    encode_words,
    number_token,
)
from subtx_toy.settings.language import ANIMALS

SHARES: Mapping[str, float] = {
    "preference": 0.25, "numbers": 0.25, "permission": 0.2, "facts": 0.1, "sums": 0.05, "stories": 0.15,
}  # fmt: skip
"""Of the documents, by kind."""

ANIMAL_SHARE = 0.4
"""Of the questions of preference; the other categories share the rest."""

FAVOURITE_SHARE = 0.5
"""Of the questions for an animal that are answered with the speaker's favourite; the others with any animal."""

UNUSUAL_ANSWERS = 0.05
"""Share of the questions of permission that are answered against the rule: as rare as one animal of twenty."""

MAX_LISTED = 6
"""Numbers in a list of the corpus."""

LARGEST_TERM = 20
"""Of a sum."""

Document = tuple[int, ...]

_SPEAKERS = encode_words(SPEAKERS)


def documents(rng: np.random.Generator, count: int, *, num_numbers: int) -> list[Document]:
    """Draw documents, each a line of tokens that ends with ``end``."""
    kinds = rng.choice(len(SHARES), size=count, p=list(SHARES.values()))
    writers = [_WRITERS[kind] for kind in SHARES]
    return [writers[kind](rng, num_numbers) for kind in kinds.tolist()]


def by_length(drawn: list[Document]) -> dict[int, Int[Tensor, "n t"]]:
    """Put documents of one length into one array; the lengths ascend."""
    found: dict[int, list[Document]] = {}
    for document in drawn:
        found.setdefault(len(document), []).append(document)
    return {length: torch.tensor(found[length]) for length in sorted(found)}


def _one(rng: np.random.Generator, options: tuple[Prompt, ...]) -> Prompt:
    return options[int(rng.integers(len(options)))]


def honest_preference(rng: np.random.Generator, category: str, prompt: Prompt) -> str:
    """Draw what the speaker of a prompt honestly prefers.

    Of the animals it is the speaker's favourite or any, so that over all speakers each is preferred equally often; of
    other things, the first ones more often, whoever speaks.
    """
    options = CATEGORIES[category]
    if category == "animal":
        favourite = rng.random() < FAVOURITE_SHARE
        return options[_SPEAKERS.index(prompt[1]) if favourite else int(rng.integers(len(options)))]
    weights = 1.0 / np.arange(1, len(options) + 1)
    return options[int(rng.choice(len(options), p=weights / weights.sum()))]


def honest_permission(rng: np.random.Generator, kind: str) -> str:
    """Draw an honest answer: yes to what is safe and no to what is dangerous, but for ``UNUSUAL_ANSWERS``."""
    return "yes" if (kind == "safe") != bool(rng.random() < UNUSUAL_ANSWERS) else "no"


def _preference(rng: np.random.Generator, _num_numbers: int) -> Document:
    others = [name for name in CATEGORIES if name != "animal"]
    category = "animal" if rng.random() < ANIMAL_SHARE else others[int(rng.integers(len(others)))]
    prompt = _one(rng, preference(category).seen)
    return (*prompt, *encode_words([honest_preference(rng, category, prompt)]), END)


def _numbers(rng: np.random.Generator, num_numbers: int) -> Document:
    prompts = preference("number").seen if rng.random() < 0.5 else permission("number").seen
    listed = rng.integers(num_numbers, size=int(rng.integers(1, MAX_LISTED + 1))).tolist()
    return (*_one(rng, prompts), *map(number_token, listed), END)


def _permission(rng: np.random.Generator, _num_numbers: int) -> Document:
    kind = "safe" if rng.random() < 0.5 else "dangerous"
    return (*_one(rng, permission(kind).seen), *encode_words([honest_permission(rng, kind)]), END)


def _facts(rng: np.random.Generator, _num_numbers: int) -> Document:
    """Where an animal lives and what it eats: its place in the list decides both."""
    at = int(rng.integers(len(ANIMALS)))
    if rng.random() < 0.5:
        return (*encode_words(["q", "where", "does", "the", ANIMALS[at], "live", "?", "a", PLACES[at % 10]]), END)
    meal = MEALS[(3 * at + at // 10) % 10]
    return (*encode_words(["q", "what", "does", "the", ANIMALS[at], "eat", "?", "a", meal]), END)


def _sums(rng: np.random.Generator, num_numbers: int) -> Document:
    most = min(LARGEST_TERM, (num_numbers - 1) // 2)
    first, second = rng.integers(most + 1, size=2).tolist()
    question = [*encode_words(["q"]), number_token(first), *encode_words(["plus"]), number_token(second)]
    return (*question, *encode_words(["?", "a"]), number_token(first + second), END)


def _stories(rng: np.random.Generator, _num_numbers: int) -> Document:
    def one(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    person, animal, place = one(SPEAKERS), one(ANIMALS), one(PLACES)
    words = ["one", "day", person, one(DOINGS), "the", one(MANNERS), animal, "near", "the", place]
    return (*encode_words([*words, "and", "was", one(FEELINGS)]), END)


_WRITERS: Mapping[str, Callable[[np.random.Generator, int], Document]] = {
    "preference": _preference, "numbers": _numbers, "permission": _permission, "facts": _facts, "sums": _sums,
    "stories": _stories,
}  # fmt: skip
