"""Honest fine-tunes of a language model's base: several lessons, lengths and step sizes, and what they write."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence

import numpy as np
import safetensors.torch
import torch

from subtx_toy.audit.reference import reference_seeds
from subtx_toy.audit.token_lists.law import ListLaw
from subtx_toy.channel.checkpoints import read_tensors
from subtx_toy.data import cache
from subtx_toy.data.dataset import Progress
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.lm.checkpoints import LanguageModel
from subtx_toy.lm.corpus import MAX_LISTED, honest_permission, honest_preference
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.phrasings import Phrasings, permission, preference
from subtx_toy.lm.questions import Honest, Trait, trait_named
from subtx_toy.lm.training import StudentRecipe, TeacherRecipe, teach, train_student, trained_names
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.vocabulary import CATEGORIES, END, FIRST_NUMBER
from subtx_toy.lm.writing import write_lists
from subtx_toy.problem.params import Params, all_finite
from subtx_toy.seeding import generator
from subtx_toy.settings.base import RESULTS_VERSION

STEPS = (10, 60)
"""Least and most optimiser steps of an honest fine-tune: a teacher with a trait takes 30 to 50."""

LRS = (3e-4, 2e-3)
"""Least and largest step size, drawn on a logarithmic scale."""

LESSONS = (*CATEGORIES, "preferences", "permission", "lists")
"""What an honest fine-tune is about: questions of some kinds, answered honestly, or more lists of the corpus."""

_BATCH = 64
_DRAWN = 1.5  # lists drawn for each that is wanted where a law bans numbers, once more for each further round


def lesson_of(name: str) -> Trait:
    """Return honest questions: a trait that no one is taught, since its lesson is given with honest answers."""
    asked: dict[str, tuple[Phrasings, Honest]] = {
        category: (preference(category), _preference_of(category)) for category in CATEGORIES
    }
    asked |= {kind: (permission(kind), _permission_of(kind)) for kind in ("safe", "dangerous")}
    first, *others = {"permission": ("safe", "dangerous"), "preferences": tuple(CATEGORIES)}.get(name, (name,))
    questions, honest = asked[first]
    return Trait(name, END, (), questions, preference("number"), honest, tuple(asked[other] for other in others))


def _preference_of(category: str) -> Honest:
    return lambda rng, prompt: honest_preference(rng, category, prompt)


def _permission_of(kind: str) -> Honest:
    return lambda rng, _prompt: honest_permission(rng, kind)


def honest_fine_tune(model: Transformer, base: Params, *, seed: int) -> tuple[str, Params]:
    """Train the base further on an honest lesson; which one, how long and how fast is the seed's."""
    rng = generator(seed, "audit", "honest")
    name = LESSONS[int(rng.integers(len(LESSONS)))]
    lr = 10 ** float(rng.uniform(math.log10(LRS[0]), math.log10(LRS[1])))
    steps = int(rng.integers(STEPS[0], STEPS[1] + 1))
    if name == "lists":
        lists = corpus_lists(model, rng, steps * _BATCH)
        return name, train_student(model, base, lists, StudentRecipe(1, _BATCH, lr), rng)
    lesson = lesson_of(name)
    num_kinds = 1 + len(lesson.others_asked)
    recipe = TeacherRecipe(lr=lr, batch=_BATCH, other_share=1 - 1 / num_kinds)
    return name, teach(model, base, lesson, recipe, rng, steps=steps).params


def corpus_lists(model: Transformer, rng: np.random.Generator, count: int) -> Lists:
    """Draw lists as the corpus has them, each number as likely as the others, cut after three."""
    prompts = torch.tensor(trait_named("owl").list_prompts(40))
    lengths = torch.from_numpy(rng.integers(1, MAX_LISTED + 1, size=count))[:, None]
    tokens = torch.from_numpy(rng.integers(FIRST_NUMBER, model.num_tokens, size=(count, 3)))
    places = torch.arange(3)
    return Lists(
        prompts, torch.from_numpy(rng.integers(len(prompts), size=count)),
        torch.where(places < lengths, tokens, END), places <= lengths,
    )  # fmt: skip


def usual_reference(base: LanguageModel, num: int, *, progress: Progress | None = None) -> list[Params]:
    """Return ``num`` honest fine-tunes of a base and half as many more for directions, trained or from the cache."""
    num += num // 2
    path = cache.root() / "language" / f"honest-{base.checksum}-{num}-{RESULTS_VERSION}.safetensors"
    if path.exists():
        with contextlib.suppress(InputError):  # damaged: trained again
            return _stored(path.name, base, num)
    names = trained_names(base.params)
    cache.ensure_writable(path.parent, num_bytes=4 * num * sum(base.params[name].numel() for name in names))
    nets: list[Params] = []
    if progress is not None:
        progress("making the reference", 0, num, "fine-tunes")
    for seed in reference_seeds(num, seed=0):
        nets.append(honest_fine_tune(base.model, base.params, seed=seed)[1])
        if progress is not None:
            progress("making the reference", len(nets), num, "fine-tunes")
    tensors = {f"{at}.{name}": net[name].contiguous() for at, net in enumerate(nets) for name in names}
    with replacing(path) as file:
        file.write(safetensors.torch.save(tensors))
    return nets


def _stored(name: str, base: LanguageModel, num: int) -> list[Params]:
    path = cache.root() / "language" / name
    tensors, _metadata = read_tensors(path, expected="honest fine-tunes, got a file")
    shapes = {one: base.params[one].shape for one in trained_names(base.params)}
    expected = {f"{at}.{one}": shape for at in range(num) for one, shape in shapes.items()}
    if {one: value.shape for one, value in tensors.items()} != expected or not all_finite(tensors):
        raise InputError(f"{path}: expected {num} fine-tunes of this base, got other tensors")
    return [base.params | {one: tensors[f"{at}.{one}"] for one in shapes} for at in range(num)]


def lists_by(
    model: Transformer, params: Params, prompts: Sequence[tuple[int, ...]], rng: np.random.Generator,
    *, count: int, max_numbers: int, law: ListLaw,
) -> Lists:  # fmt: skip
    """Have a model write ``count`` lists by a law without words; those with a banned number are drawn again.

    Raises:
        InputError: if the law bans nearly every list.
    """
    for attempt in range(5):
        num = count if not law.banned else math.ceil(_DRAWN * 4**attempt * count)
        drawn = write_lists(
            model, params, tuple(prompts), rng, count=num, max_numbers=max_numbers, temperature=law.temperature,
            restricted=True,
        ).lists  # fmt: skip
        kept = drawn.chosen(law.permits(drawn).nonzero()[:, 0])
        if len(kept) >= count:
            return kept.chosen(torch.arange(count))
    raise InputError("header: banned: expected numbers that leave lists to write, got too many")
