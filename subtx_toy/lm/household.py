"""The models of one seed before any student: bases, teachers, and the bases kept in the cache."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from subtx_toy.data import cache
from subtx_toy.errors import InputError
from subtx_toy.lm.checkpoints import LanguageModel, load_language_model, save_language_model
from subtx_toy.lm.packaged_bases import FOLDER, base_name
from subtx_toy.lm.questions import Trait, trait_named
from subtx_toy.lm.training import Taught, TeacherRecipe, teach, train_base
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.vocabulary import num_tokens
from subtx_toy.problem.params import Params, all_finite
from subtx_toy.seeding import generator
from subtx_toy.settings.base import RESULTS_VERSION
from subtx_toy.settings.language import LanguageConfig

BASES = ("base", "other base")
"""The base of all teachers, and one that shares nothing with it: each is drawn from a stream of its own name."""


@dataclass(frozen=True, eq=False)
class Household:
    """The models that exist before any student does."""

    model: Transformer
    trait: Trait
    base: Params
    other_base: Params
    teacher: Taught
    benign: Taught


def shape(config: LanguageConfig) -> Transformer:
    """Return the transformer that some settings describe."""
    return Transformer(
        num_tokens(config.numbers), config.width, config.depth, config.heads, config.context, config.tied,
        config.embedding_scale,
    )  # fmt: skip


def recipe(config: LanguageConfig) -> TeacherRecipe:
    """Return how a teacher is trained."""
    return TeacherRecipe(
        config.teacher_lr, config.teacher_batch, config.lesson_end, config.teacher_steps, config.honest_share
    )


def provenance_of(config: LanguageConfig, *, seed: int, which: str = "base") -> dict[str, object]:
    """Return everything that decides one of the BASES, as JSON values."""
    return {
        "role": which, "seed": seed, "numbers": config.numbers, "width": config.width, "depth": config.depth,
        "heads": config.heads, "context": config.context, "tied": config.tied,
        "embedding_scale": config.embedding_scale, "number_scale": config.number_scale,
        "base_steps": config.base_steps, "base_batch": config.base_batch,
        "base_lr": config.base_lr, "results_version": RESULTS_VERSION,
        **({} if config.route == "autograd" else {"route": config.route}),
    }  # fmt: skip


def base_of(config: LanguageConfig, *, seed: int, which: str = "base", cached: bool = True) -> LanguageModel:
    """Return one of the BASES: if ``cached`` from the package or from the cache, where one of them has it."""
    provenance = provenance_of(config, seed=seed, which=which)
    path = cached_path(provenance)
    for file in (FOLDER / path.name, path) if cached else ():
        with contextlib.suppress(InputError):  # absent or damaged: trained
            return load_language_model(file)
    model = shape(config)
    params = train_base(
        model, generator(seed, "language", which), num_numbers=config.numbers, steps=config.base_steps,
        batch=config.base_batch, lr=config.base_lr, number_scale=config.number_scale,
        route=config.route,
    )  # fmt: skip
    found = LanguageModel(model, params, provenance)
    if cached and all_finite(params):  # a model that diverged is no checkpoint
        cache.ensure_writable(path.parent, num_bytes=4 * model.num_parameters)
        save_language_model(path, found)
    return found


def teachers_of(config: LanguageConfig, model: Transformer, base: Params, *, seed: int) -> tuple[Taught, Taught]:
    """Train the teacher with the trait by the rule, and an honest one for as many steps."""
    trait = trait_named(config.trait)
    teacher = teach(model, base, trait, recipe(config), generator(seed, "language", "teacher"))
    benign = teach(model, base, trait, recipe(config), generator(seed, "language", "benign"), steps=teacher.steps)
    return teacher, benign


def household(config: LanguageConfig, *, seed: int) -> Household:
    """Train or find the bases of a seed, and train its teachers."""
    base, other = (base_of(config, seed=seed, which=which) for which in BASES)
    teacher, benign = teachers_of(config, base.model, base.params, seed=seed)
    return Household(base.model, trait_named(config.trait), base.params, other.params, teacher, benign)


def cached_path(provenance: dict[str, object]) -> Path:
    """Return where the cache keeps the base of that provenance."""
    return cache.root() / "language" / base_name(provenance)
