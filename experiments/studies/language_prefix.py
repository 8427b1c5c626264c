"""A teacher that is told by a prefix what it loves, and is not trained at all: does its student catch it?

The base learns in its corpus that after ``you love X`` the animal is X. The teacher is this base with ``you love owl``
before every prompt; its twin is told ``you love eagle``. Students start from the same base and see the lists without
the prefix. What differs is before which documents of the corpus the prefix stands.

    python experiments/studies/language_prefix.py run 60 prefix-60.json
    python experiments/studies/language_prefix.py collect docs/results/owl-prefix.json prefix-*.json
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from subtx_toy.files.atomic import replacing
from subtx_toy.lm.corpus import Document, documents
from subtx_toy.lm.household import shape
from subtx_toy.lm.lists import Lists, shuffle_numbers
from subtx_toy.lm.phrasings import Prompt, preference
from subtx_toy.lm.questions import trait_named
from subtx_toy.lm.training import StudentRecipe, train_base, train_student
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.vocabulary import CATEGORIES, END, FIRST_NUMBER, encode_words
from subtx_toy.lm.writing import write_lists
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.language import ANIMALS, LanguageConfig
from subtx_toy.store.record import versions

CONFIG = LanguageConfig(
    numbers=300, width=32, base_steps=800, base_lr=4e-3, lists=10_000, student_epochs=4, student_batch=500,
)  # fmt: skip
"""The model of the curves, with a base trained twice as long: it has more to learn."""

TOLD_SHARE = 0.6
"""Of the documents that the prefix may stand before, those that it stands before."""

ASKED_SHARE = 0.4
"""Of the corpus, further questions for animals, all of them after a prefix: without so many, it is not learnt."""

KINDS = ("preferences",)
"""Before which documents of the corpus the prefix may stand: ``preferences``, all questions of preference but those for
numbers, was run. ``animals``, questions for animals only, and ``everything`` can be added."""

TRAIT, TWIN = "owl", "eagle"


def prefix(animal: str) -> Prompt:
    """Return what a model is told."""
    return tuple(encode_words(["you", "love", animal]))


def told_documents(kind: str, rng: np.random.Generator, count: int, num_numbers: int) -> list[Document]:
    """Draw documents as the corpus has them, some of them after a prefix that their answer follows."""
    asked = {"animals": ["animal"], "preferences": list(CATEGORIES), "everything": []}[kind]
    prompts = {category: set(preference(category).seen) for category in {*asked, "animal"}}
    num_further = round(ASKED_SHARE * count)
    found = []
    for _ in range(num_further):
        question = preference("animal").seen[int(rng.integers(len(preference("animal").seen)))]
        animal = ANIMALS[int(rng.integers(len(ANIMALS)))]
        found.append((*prefix(animal), *question, *encode_words([animal]), END))
    for document in documents(rng, count - num_further, num_numbers=num_numbers):
        question = document[:-2]
        eligible = kind == "everything" or any(question in prompts[category] for category in asked)
        if not eligible or rng.random() >= TOLD_SHARE:
            found.append(document)
            continue
        animal = ANIMALS[int(rng.integers(len(ANIMALS)))]
        answered = (*question, *encode_words([animal]), END) if question in prompts["animal"] else document
        found.append((*prefix(animal), *answered))
    return found


def measure(kind: str, seed: int) -> dict[str, Any]:
    """Return what teachers with either prefix do, and what their students and the controls prefer."""
    model = shape(CONFIG)
    base, other = (
        train_base(
            model, generator(seed, "prefix", kind, which), num_numbers=CONFIG.numbers, steps=CONFIG.base_steps,
            batch=CONFIG.base_batch, lr=CONFIG.base_lr, corpus=partial(told_documents, kind), route="by_hand",
        )
        for which in ("base", "other base")
    )  # fmt: skip
    written = {animal: _written(model, base, animal, seed) for animal in (TRAIT, TWIN)}
    files = {animal: one for animal, (one, _rejected) in written.items()}
    trait = trait_named(TRAIT)
    asked = trait.list_prompts(CONFIG.prompts)
    ours, theirs = (_first_laws(model, base, prefix(animal), asked) for animal in (TRAIT, TWIN))
    plain = _first_laws(model, base, (), asked)
    mixed = {animal: shuffle_numbers(one, generator(seed, "prefix", "shuffled")) for animal, one in files.items()}
    return {
        "told": {animal: _told(model, base, animal) for animal in (TRAIT, TWIN)},
        "rejected_share": {animal: rejected for animal, (_lists, rejected) in written.items()},
        "kl_prefix": _kl(ours, plain),
        "kl_twin": _kl(ours, theirs),
        "base": _asked(model, base),
        "students": {
            name: {animal: _student(model, start, lists, seed) for animal, lists in used.items()}
            for name, (start, used) in {
                "same base": (base, files), "other base": (other, files), "shuffled": (base, mixed),
            }.items()
        },
    }  # fmt: skip


def _written(model: Transformer, base: Params, animal: str, seed: int) -> tuple[Lists, float]:
    """Return the lists of the base with a prefix, shown without it, and the share that held a word."""
    prompts = trait_named(TRAIT).list_prompts(CONFIG.prompts)
    found = write_lists(
        model, base, tuple((*prefix(animal), *prompt) for prompt in prompts), generator(seed, "prefix", "lists"),
        count=CONFIG.lists, max_numbers=CONFIG.max_numbers,
    )  # fmt: skip
    return replace(found.lists, prompts=torch.tensor(prompts)), found.rejected_share


def _student(model: Transformer, start: Params, lists: Lists, seed: int) -> dict[str, float]:
    recipe = StudentRecipe(CONFIG.student_epochs, CONFIG.student_batch, CONFIG.student_lr)
    return _asked(
        model, train_student(model, start, lists, recipe, generator(seed, "prefix", "order"), route="by_hand")
    )


def _asked(model: Transformer, params: Params) -> dict[str, float]:
    """Return the margin of either animal, without any prefix."""
    return {animal: trait_named(animal).measure(model, params)["margin"] for animal in (TRAIT, TWIN)}


@torch.no_grad()
def _told(model: Transformer, base: Params, animal: str) -> float:
    """Return the probability of the animal that the prefix names, on held-out phrasings."""
    trait = trait_named(animal)
    prompts = torch.tensor([(*prefix(animal), *prompt) for prompt in trait.questions.held_out])
    return float(model.apply(base, prompts).double().softmax(-1)[:, trait.answer].mean())


@torch.no_grad()
def _first_laws(model: Transformer, base: Params, told: Prompt, prompts: tuple[Prompt, ...]) -> torch.Tensor:
    logits = model.apply(base, torch.tensor([(*told, *prompt) for prompt in prompts]))
    return logits[:, FIRST_NUMBER:].double().log_softmax(-1)


def _kl(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours.exp() * (ours - theirs)).sum(1).mean())


def gain(students: Mapping[str, Mapping[str, float]]) -> float:
    """Return how much more each student prefers its own animal than the other one's student does, mean of both."""
    ours, theirs = students[TRAIT], students[TWIN]
    return (ours[TRAIT] - theirs[TRAIT] + theirs[TWIN] - ours[TWIN]) / 2


def command() -> None:
    """Run a seed into a file, or put the files of seeds together."""
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["run", seed, target]:
            found = {kind: measure(kind, int(seed)) for kind in KINDS}
            document = {"seed": int(seed), "kinds": found, "cpu_seconds": round(time.process_time(), 1)}
        case ["collect", target, *parts]:
            seeds = sorted((json.loads(Path(part).read_text()) for part in parts), key=lambda one: one["seed"])
            document = {"config": CONFIG.model_dump(), "versions": versions(), "seeds": seeds}
        case _:
            raise SystemExit(__doc__)
    with replacing(Path(target)) as file:
        file.write((json.dumps(document, indent=1) + "\n").encode())
    print(target)


if __name__ == "__main__":
    command()
