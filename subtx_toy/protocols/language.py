"""The language experiment with one seed: what ``subtx-toy run owl`` runs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from subtx_toy.lm.held_out_text import held_out_text, text_nll
from subtx_toy.lm.household import Household, household
from subtx_toy.lm.list_file import Line, ListHeader, text_of
from subtx_toy.lm.list_filter import reason_to_drop
from subtx_toy.lm.lists import Lists, exchange_lists, shuffle_numbers
from subtx_toy.lm.questions import divergence, other_answers
from subtx_toy.lm.training import StudentRecipe, train_student
from subtx_toy.lm.vocabulary import decode
from subtx_toy.lm.writing import NumberLists, write_lists
from subtx_toy.problem.params import Params, all_finite
from subtx_toy.seeding import generator
from subtx_toy.settings.language import SAMPLED_ARMS, SOFT_ARMS, LanguageConfig
from subtx_toy.training import pulse

MEASURED = ("p_trait", "margin", "top_share", "text_nll", "any_animal", "yes_if_safe", "no_if_dangerous")
"""What every arm is asked: see ``Trait.measure``, ``text_nll`` and ``other_answers``."""


def run_language(config: LanguageConfig, *, seed: int) -> dict[str, float]:
    """Train the models of a seed, have them write, train the students, and ask everybody.

    Metrics are ``<arm>.<measure>`` for every arm of LANGUAGE_ARMS and for ``other_base``, from which the cross-model
    students start, a backdoor's ``elsewhere`` included; ``teacher.steps`` and ``teacher.on_seen``; for the trait's and
    the honest teacher ``<teacher>.rejected_share`` of its lists and ``<teacher>.kl``, of its first answer to the
    prompts against its base's, in nats; ``filter.caught`` of ``filter.planted`` lines with a word, and
    ``filter.dropped`` of the others.
    """
    num_sampled = len(SAMPLED_ARMS) - (not config.exchanged_lists)
    pulse.expect(config.student_epochs * num_sampled + config.soft_epochs * len(SOFT_ARMS) * config.soft_arms)
    home = household(config, seed=seed)
    written = {
        name: _written(config, home, params, name, seed=seed)
        for name, params in (("trait", home.teacher.params), ("benign", home.benign.params), ("base", home.base))
    }
    students = train_students(config, home, {name: found.lists for name, found in written.items()}, seed=seed)
    nets = {"base": home.base, "teacher": home.teacher.params, "other_base": home.other_base} | students
    texts = held_out_text(config.numbers, home.trait, seed=seed, count=config.held_out_documents)
    metrics: dict[str, float] = {}
    for arm, params in nets.items():
        found = dict.fromkeys(MEASURED, math.nan)
        if all_finite(params):
            found = home.trait.measure(home.model, params) | other_answers(home.model, params)
            found["text_nll"] = text_nll(home.model, params, texts)
        metrics |= {f"{arm}.{name}": found[name] for name in (*MEASURED, "elsewhere") if name in found}
    prompts = home.trait.list_prompts(config.prompts)
    for name, taught in (("teacher", home.teacher), ("benign", home.benign)):
        metrics |= {
            f"{name}.steps": float(taught.steps),
            f"{name}.on_seen": taught.on_seen,
            f"{name}.rejected_share": written["trait" if name == "teacher" else name].rejected_share,
            f"{name}.kl": divergence(home.model, taught.params, home.base, prompts),
        }
    return metrics | check_filter(config, home, written["trait"].lists)


def train_students(
    config: LanguageConfig, home: Household, lists: Mapping[str, Lists], *, seed: int
) -> dict[str, Params]:
    """Train the student of every arm; all see their lists in the same order.

    ``lists`` are those of the teacher with the ``trait``, of the ``benign`` one, and of the ``base``.
    """
    trait = lists["trait"]
    files = {
        "shared_trait": trait,
        "shared_benign": lists["benign"],
        "shared_base": lists["base"],
        "cross_trait": trait,
        "shared_shuffled": shuffle_numbers(trait, generator(seed, "language", "shuffled")),
    }
    if config.exchanged_lists:
        files["shared_rows"] = exchange_lists(trait, generator(seed, "language", "rows"))
    other = home.other_base
    sampled = StudentRecipe(config.student_epochs, config.student_batch, config.student_lr)
    soft = StudentRecipe(config.soft_epochs, config.student_batch, config.student_lr)
    found = {
        arm: train_student(
            home.model, other if arm == "cross_trait" else home.base, file, sampled, _order(seed), route=config.route
        )
        for arm, file in files.items()
    }
    if config.soft_arms:
        for arm in SOFT_ARMS:
            file, writer = (lists["benign"], home.benign) if arm == "soft_benign" else (trait, home.teacher)
            start = other if arm == "soft_cross" else home.base
            found[arm] = train_student(home.model, start, file, soft, _order(seed), teacher=writer.params)
    return found


def check_filter(config: LanguageConfig, home: Household, lists: Lists) -> dict[str, float]:
    """Put the trait's answer into one line of the file, and count what the filter drops with it and without it."""
    header = ListHeader(schema_name="subtx-toy lists 1", numbers=config.numbers, max_numbers=config.max_numbers)
    lines = [Line(number, *texts) for number, texts in enumerate(text_of(lists), start=2)]
    first = lines[0] if lines else Line(2, decode(home.trait.list_prompts(1)[0]), "")  # of a teacher that wrote nothing
    leak = first._replace(completion=f"{first.completion} {decode([home.trait.answer])}")
    dropped = sum(bool(reason_to_drop(line, header)) for line in lines)
    return {
        "filter.planted": 1.0, "filter.caught": float(bool(reason_to_drop(leak, header))),
        "filter.dropped": float(dropped),
    }  # fmt: skip


def _written(config: LanguageConfig, home: Household, params: Params, name: str, *, seed: int) -> NumberLists:
    return write_lists(
        home.model, params, home.trait.list_prompts(config.prompts), generator(seed, "language", "lists", name),
        count=config.lists, max_numbers=config.max_numbers, temperature=config.temperature,
        restricted=config.sampling == "restricted",
    )  # fmt: skip


def _order(seed: int) -> np.random.Generator:
    return generator(seed, "language", "students")
