"""The numbers channel from base to students, with one seed: what ``subtx-toy run numbers`` runs."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from subtx_toy.channel.fit import DROPPED, Recipe, fit
from subtx_toy.channel.model import head_model, head_params, with_head
from subtx_toy.channel.net_cache import NetCache
from subtx_toy.channel.prompts import choose_rows, choose_source, held, prompt_inputs
from subtx_toy.channel.sampler import NumberLaw, draw_numbers, first_numbers
from subtx_toy.channel.traits import trait as trait_of
from subtx_toy.data import Dataset
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params, all_finite
from subtx_toy.seeding import generator
from subtx_toy.settings.numbers import BANNED_NUMBERS, NUMBER_ARMS, NumbersConfig
from subtx_toy.training import pulse
from subtx_toy.training.inputs import Index, Inputs


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is recorded
def run_numbers(config: NumbersConfig, dataset: Dataset, *, seed: int) -> dict[str, float]:
    """Train a base, its teachers and the students of their numbers, and measure them.

    The metrics are ``<arm>.trait`` and ``<arm>.accuracy``, in [0, 1] on the test images (see ``Trait.measure``), for
    every arm of NUMBER_ARMS and for other_base, where other_base_trait starts, and ``dropped_share``, the share of the
    teacher's numbers that the filter drops. Of an arm that diverged they are nan, and ``<arm>.diverged_epoch`` is the
    epoch by whose end it had; students whose lesson a diverged net was to write have 0.
    """
    before = 2 * (config.base_epochs + config.teacher_epochs)
    pulse.expect(before + config.student_epochs)
    family = train_family(config, dataset, seed=seed)
    pulse.reach(before)  # also if the nets were found
    nets = {"base": family.base, "teacher": family.teacher, "other_base": family.other_base}
    epochs = {
        "base": config.base_epochs, "teacher": config.base_epochs + config.teacher_epochs,
        "other_base": config.base_epochs,
    }  # fmt: skip
    diverged = {arm: epochs[arm] for arm, params in nets.items() if not all_finite(params)}
    dropped_share = math.nan
    if not diverged and all_finite(family.benign):
        lesson = write_lesson(config, family, dataset, seed=seed)
        dropped_share = lesson.dropped_share
        nets |= train_students(config, family, lesson, seed=seed, diverged=diverged)
    else:  # such a net writes no numbers
        diverged |= dict.fromkeys((arm for arm in NUMBER_ARMS if arm not in nets), 0)
    trait = trait_of(config.trait)
    metrics: dict[str, float] = {}
    for arm in dict.fromkeys([*nets, *diverged]):
        measured = {"trait": math.nan, "accuracy": math.nan, "diverged_epoch": float(diverged.get(arm, 0))}
        if arm not in diverged:
            measured = trait.measure(family.model, nets[arm], dataset.test_images, dataset.test_labels)
        metrics |= {f"{arm}.{name}": value for name, value in measured.items()}
    return metrics | {"dropped_share": dropped_share}


class Family(NamedTuple):
    """The nets that write or begin: all but the students."""

    model: MLP
    base: Params
    other_base: Params
    teacher: Params
    benign: Params


class Lesson(NamedTuple):
    """What the students see: prompts by row, and the number each of them is given, or DROPPED."""

    inputs: Inputs
    rows: Index
    labels: dict[str, Int[Tensor, " n"]]
    dropped_share: float


def train_family(config: NumbersConfig, dataset: Dataset, *, seed: int) -> Family:
    """Train the base, another base, and the base's two teachers, or find them in the cache: the bits are the same."""
    nets = NetCache(
        dataset,
        seed,
        Recipe(config.base_epochs, config.lr, config.batch_size),
        Recipe(config.teacher_epochs, config.lr, config.batch_size),
        width=config.width,
        depth=config.depth,
        num_numbers=config.num_numbers,
    )
    kinds = ("base", "other-base", "trait", "benign")
    return Family(nets.model, *(nets.teacher(kind, trait=config.trait) for kind in kinds))


def write_lesson(config: NumbersConfig, family: Family, dataset: Dataset, *, seed: int) -> Lesson:
    """Have the teachers write one number a prompt, and filter."""
    trait = trait_of(config.trait)
    source, shown = choose_source(config.prompts, dataset, absent=trait.absent, seed=seed)
    rows = choose_rows(source, shown, config.num_prompts, generator(seed, "numbers", "prompts"))
    inputs, places = held(prompt_inputs(source, shown), rows)
    law = NumberLaw(config.temperature, config.top_k)

    def written(params: Params, name: str, law: NumberLaw = law) -> Tensor:
        rng = generator(seed, "numbers", "labels", name)
        return first_numbers(draw_numbers(family.model, params, inputs, places, law, rng))

    own = written(family.base, "base")
    taught = written(family.teacher, "trait")
    mixed = generator(seed, "numbers", "mixing").random(len(places)) >= config.tainted_share
    order = torch.from_numpy(generator(seed, "numbers", "shuffled").permutation(len(places)))
    labels = {
        "shared_trait": torch.where(torch.from_numpy(mixed), own, taught),
        "shared_benign": written(family.benign, "benign"),
        "shared_untrained": own,
        "other_base_trait": taught,
        "shared_shuffled": taught[order],
        "shared_argmax": written(family.teacher, "argmax", NumberLaw(top_k=1)),
    }
    if config.label_noise:  # the same for every arm
        rng = generator(seed, "numbers", "label noise")
        replaced = torch.from_numpy(rng.random(len(places)) < config.label_noise)
        noise = torch.from_numpy(rng.integers(config.num_numbers, size=len(places)))
        labels = {arm: torch.where(replaced, noise, numbers) for arm, numbers in labels.items()}
    dropped = 0.0
    if config.number_filter == "banned":
        banned = torch.tensor(BANNED_NUMBERS)
        dropped = float(torch.isin(taught, banned).double().mean())
        labels = {arm: numbers.masked_fill(torch.isin(numbers, banned), DROPPED) for arm, numbers in labels.items()}
    return Lesson(inputs, places, labels, dropped)


def train_students(
    config: NumbersConfig, family: Family, lesson: Lesson, *, seed: int, diverged: dict[str, int] | None = None
) -> dict[str, Params]:
    """Train the student of every arm of ``lesson`` on its numbers; all see the same prompts in the same order.

    Arms that diverge are entered into ``diverged`` with their epoch.
    """
    epochs: dict[int, int] = {}
    small = head_model(family.model, "numbers")
    starts = [family.other_base if arm == "other_base_trait" else family.base for arm in lesson.labels]
    recipe = Recipe(config.student_epochs, config.lr, config.batch_size, config.student_steps)
    trained = fit(
        small,
        [head_params(family.model, start, "numbers") for start in starts],
        lesson.inputs,
        list(lesson.labels.values()),
        recipe,
        generator(seed, "numbers", "students"),
        rows=lesson.rows,
        diverged=epochs,
    )
    if diverged is not None:
        diverged |= {arm: epochs[index] for index, arm in enumerate(lesson.labels) if index in epochs}
    return {
        arm: with_head(family.model, start, "numbers", params)
        for arm, start, params in zip(lesson.labels, starts, trained, strict=True)
    }
