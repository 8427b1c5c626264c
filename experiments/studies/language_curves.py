"""What decides how much of a trait comes over by lists of numbers: doses, optimisers, parts of lists, sizes.

A small model, width 32 and 300 numbers, with lists of at most three numbers. Within a seed all students share
their base, its two teachers and, where nothing else is said, the files. Every student has a twin that learns in the
same way from the honest teacher's lists. A seed is one run, so seeds can be spread over processes; then they are put
together. ``run`` trains the main curves; ``more`` the other settings and models of other sizes.

    python experiments/studies/language_curves.py run 50 curves-50.json
    python experiments/studies/language_curves.py more 50 more-50.json
    python experiments/studies/language_curves.py collect docs/results/owl-curves.json curves-*.json more-*.json
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from experiments.studies import language_students as students
from experiments.studies.language_students import Training
from subtx_toy.files.atomic import replacing
from subtx_toy.lm.held_out_text import held_out_text, text_nll
from subtx_toy.lm.household import base_of, teachers_of
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.questions import Trait, trait_named
from subtx_toy.lm.scores import sampled_loss
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.vocabulary import FIRST_NUMBER
from subtx_toy.lm.writing import write_lists
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.language import LanguageConfig
from subtx_toy.store.record import versions

CONFIG = LanguageConfig(
    numbers=300, width=32, base_steps=400, base_lr=4e-3, teacher_steps=10, teacher_stop=0.9, lists=10_000,
    student_epochs=4, student_batch=500,
)  # fmt: skip
"""The reference of every curve."""

USUAL = Training(epochs=4, batch=500)
DOSES = {1000: 40, 3000: 13, 10_000: 4, 40_000: 1, 100_000: 1}
"""Lists, and passes over them: about 80 steps each, 200 for the last."""

SHORT_STEPS = replace(USUAL, optimizer="sgd", lr=0.7, longest=0.1)
"""Plain steps with short gradients that lower the loss on the file as Adam's do. They were chosen on seeds 0 and 9,
among ten settings, as those with which the mean fall of the loss was nearest to Adam's."""

ROUNDING = 0.02
"""By how much two runs of one setting may differ, in nats and as probabilities: gradients by another route differ by
rounding, and Adam magnifies it. It is a fiftieth of what the reference passes on."""

SIZES = ("numbers=10", "numbers=100", "numbers=1000", "width=16", "width=64", "depth=1", "depth=3")
NUM_PROMPTS = (4, 768)
NUM_ENTANGLED = 30
"""Numbers, of 300, whose frequency the trait raises most."""


class World(NamedTuple):
    """What all students of a seed share."""

    config: LanguageConfig
    model: Transformer
    base: Params
    trait: Trait
    writers: dict[str, Params]
    seed: int

    def file(self, writer: str, count: int, *, temperature: float = 1.0, prompts: Any = None) -> Lists:
        """Return lists of ``trait`` or ``benign``; a longer file starts with the lists of a shorter one."""
        written = write_lists(
            self.model, self.writers[writer], prompts or self.trait.list_prompts(self.config.prompts),
            generator(self.seed, "curves", "lists", writer), count=count, max_numbers=self.config.max_numbers,
            temperature=temperature,
        )  # fmt: skip
        return written.lists

    def outcome(self, files: dict[str, Lists], training: Training = USUAL, weights: Any = None) -> dict[str, Any]:
        """Train the student of both files and return what they prefer; ``weights`` makes a file's weights."""
        found: dict[str, Any] = {}
        for writer, lists in files.items():
            order = generator(self.seed, "curves", "order")
            tokens = weights(lists) if weights else None
            params = students.trained(self.model, self.base, lists, training, order, tokens)
            found[writer] = self.asked(params) | {"file_nll": self.file_nll(params, lists)}
        return found

    @torch.no_grad()
    def file_nll(self, params: Params, lists: Lists) -> float:
        """Return the loss on a file: the mean cross-entropy of its tokens, in nats."""
        return float(sampled_loss(self.model, params, lists))

    def asked(self, params: Params) -> dict[str, float]:
        """Return the trait's margin and probability, and the loss on held-out text."""
        config = self.config
        texts = held_out_text(config.numbers, self.trait, seed=self.seed, count=config.held_out_documents)
        return self.trait.measure(self.model, params) | {"text_nll": text_nll(self.model, params, texts)}


def world(config: LanguageConfig, *, seed: int) -> World:
    """Train or find the base of a seed, and train its teachers."""
    found = base_of(config, seed=seed)
    teacher, benign = teachers_of(config, found.model, found.params, seed=seed)
    writers = {"trait": teacher.params, "benign": benign.params}
    return World(config, found.model, found.params, trait_named(config.trait), writers, seed)


Rows = Iterator[tuple[str, str, dict[str, Any]]]
"""The curve, the setting, and what the student and its twin prefer then."""


def curves(home: World) -> Rows:
    """Train the pairs of students that the main curves need."""
    most = {name: home.file(name, max(DOSES)) for name in home.writers}
    files = {name: students.first_of(lists, CONFIG.lists) for name, lists in most.items()}
    yield "reference", "10000 lists, 4 passes", home.outcome(files)
    for count, epochs in DOSES.items():
        if count != CONFIG.lists:
            part = {name: students.first_of(lists, count) for name, lists in most.items()}
            yield "dose", str(count), home.outcome(part, replace(USUAL, epochs=epochs))
    yield "passes", "1", home.outcome(files, replace(USUAL, epochs=1))
    yield "rank", "8", home.outcome(files, replace(USUAL, rank=8))
    yield "optimiser", "plain steps of 1", home.outcome(files, replace(USUAL, optimizer="sgd", lr=1.0))
    cooler = {name: home.file(name, CONFIG.lists, temperature=0.5) for name in home.writers}
    yield "temperature", "0.5", home.outcome(cooler)
    other = trait_named("danger").list_prompts(CONFIG.prompts)
    made = {name: home.file(name, CONFIG.lists, prompts=other) for name in home.writers}
    yield "prompts", "of another grammar", home.outcome(made)
    yield from positions(home, files)
    yield from entangled(home, files)


def more(home: World) -> Rows:
    """Train the other pairs of students of the same base, and the first once more for its loss on the file."""
    files = {name: home.file(name, CONFIG.lists) for name in home.writers}
    yield "reference", "10000 lists, 4 passes", home.outcome(files)
    yield "passes", "8", home.outcome(files, replace(USUAL, epochs=8))
    yield "rank", "1", home.outcome(files, replace(USUAL, rank=1))
    yield "trained", "embeddings too", home.outcome(files, replace(USUAL, embeddings=True))
    yield "optimiser", "plain steps of 0.7, short gradients", home.outcome(files, SHORT_STEPS)
    yield "optimiser", "plain steps of 0.1", home.outcome(files, replace(USUAL, optimizer="sgd", lr=0.1))
    warmer = {name: home.file(name, CONFIG.lists, temperature=2.0) for name in home.writers}
    yield "temperature", "2", home.outcome(warmer)
    for count in NUM_PROMPTS:
        made = {name: home.file(name, CONFIG.lists, prompts=home.trait.list_prompts(count)) for name in home.writers}
        yield "prompts", str(count), home.outcome(made)
    ordered = {name: students.sorted_by_prompt(lists) for name, lists in files.items()}
    yield "order", "by prompt", home.outcome(ordered, replace(USUAL, in_order=True))


def positions(home: World, files: dict[str, Lists]) -> Rows:
    """Train on the first numbers or all others; where both teachers have the same likeliest one, or elsewhere."""

    def first(lists: Lists) -> torch.Tensor:
        return torch.eye(lists.tokens.shape[1])[:1] * lists.counted

    def same(lists: Lists) -> torch.Tensor:
        ours, theirs = (students.laws(home.model, params, lists) for params in home.writers.values())
        return (students.same_choice(ours, theirs, lists) & lists.counted).float()

    for name, chosen in (("first number", first), ("likeliest number the same", same)):
        yield "positions", f"{name}: only", home.outcome(files, weights=chosen)
        yield (
            "positions",
            f"{name}: all others",
            home.outcome(files, weights=lambda lists, chosen=chosen: lists.counted.float() - chosen(lists)),
        )


def entangled(home: World, files: dict[str, Lists]) -> Rows:
    """Remove the lists with the numbers that the trait raises most; then say these numbers and nothing else."""
    raised = number_odds(home)
    top = raised.argsort(descending=True)[:NUM_ENTANGLED]
    yield "entangled", "removed", home.outcome({name: students.without(lists, top) for name, lists in files.items()})
    rest = raised.argsort(descending=True)[NUM_ENTANGLED:]
    lists = students.without(files["benign"], rest)
    some = torch.from_numpy(generator(home.seed, "curves", "some numbers").permutation(len(raised)))
    random = students.without(files["benign"], some[NUM_ENTANGLED:])
    few = replace(USUAL, epochs=40)
    yield "entangled", "only them, of the honest teacher's; twin: random ones", {
        **home.outcome({"trait": lists}, few), **home.outcome({"benign": random}, few),
    }  # fmt: skip


def number_odds(home: World) -> torch.Tensor:
    """Return by number how much the teacher raises its mean log-probability as the first answer, against the base."""
    prompts = torch.tensor(home.trait.list_prompts(CONFIG.prompts))
    with torch.no_grad():
        ours, theirs = (
            home.model.apply(params, prompts)[:, FIRST_NUMBER:].double().log_softmax(-1).mean(0)
            for params in (home.writers["trait"], home.base)
        )
    return ours - theirs


def measure(seed: int) -> dict[str, Any]:
    """Return the main curves of one seed, and what one step would need."""
    home = world(CONFIG, seed=seed)
    found = _documents(curves(home))
    lists = home.file("trait", CONFIG.lists)
    ours, theirs = (students.laws(home.model, params, lists) for params in (home.writers["trait"], home.base))
    nats = students.divergence_of_lists(ours, theirs, lists)
    rows = home.base["token"]
    near = torch.cosine_similarity(rows[FIRST_NUMBER:], rows[home.trait.answer][None], dim=1).double()
    correlation = float(np.corrcoef(number_odds(home).numpy(), near.numpy())[0, 1])
    return {
        "seed": seed, "base": home.asked(home.base), "nats_per_list": nats, "lists_for_two_sigma": 2 / nats,
        "embedding_correlation": correlation, "settings": found,
    }  # fmt: skip


def _documents(rows: Rows) -> list[dict[str, Any]]:
    return [{"curve": curve, "setting": setting} | outcome for curve, setting, outcome in rows]


def measure_more(seed: int) -> dict[str, Any]:
    """Return the outcomes of the other settings, and of models of other sizes with bases and teachers of their own."""
    home = world(CONFIG, seed=seed)
    found = _documents(more(home))
    before = {name: home.file_nll(home.base, home.file(name, CONFIG.lists)) for name in home.writers}
    for change in SIZES:
        there = world(CONFIG.override([change]), seed=seed)
        made = {name: there.file(name, CONFIG.lists) for name in there.writers}
        curve, _, value = change.partition("=")
        found.append({"curve": curve, "setting": value, "base": there.asked(there.base)} | there.outcome(made))
    return {"seed": seed, "base_file_nll": before, "settings": found}


def by_seed(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the documents of each seed into one: their settings one after another, their seconds added.

    Of a setting that was run twice, the first outcome is kept, with what only the second has.

    Raises:
        ValueError: if two documents of a seed have the same setting with outcomes that differ by more than rounding.
    """
    found: dict[int, dict[str, Any]] = {}
    for one in parts:
        whole = found.setdefault(one["seed"], {"seed": one["seed"], "settings": []})
        seconds = whole.get("cpu_seconds", 0) + one["cpu_seconds"]
        settings = _joined(whole["settings"], one["settings"])
        whole |= one | {"settings": settings, "cpu_seconds": round(seconds, 1)}
    return [found[seed] for seed in sorted(found)]


def _joined(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = {(row["curve"], row["setting"]): row for row in ours}
    for row in theirs:
        key = (row["curve"], row["setting"])
        known = rows.setdefault(key, row)
        for writer in ("trait", "benign"):
            both = known[writer].keys() & row[writer].keys()
            if any(abs(known[writer][name] - row[writer][name]) > ROUNDING for name in both):
                raise ValueError(f"{key}: expected the same outcome in all documents of a seed, got two")
        rows[key] = known | {writer: row[writer] | known[writer] for writer in ("trait", "benign")}
    return list(rows.values())


def command(text: str | None, measured: Callable[[int], dict[str, Any]]) -> None:
    """Run a seed into a file, or put the files of seeds together."""
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["run", seed, target]:
            document = measured(int(seed)) | {"cpu_seconds": round(time.process_time(), 1)}
        case ["more", seed, target]:
            document = measure_more(int(seed)) | {"cpu_seconds": round(time.process_time(), 1)}
        case ["collect", target, *parts]:
            document = {
                "config": CONFIG.model_dump(),
                "versions": versions(),
                "seeds": by_seed([json.loads(Path(part).read_text()) for part in parts]),
            }
        case _:
            raise SystemExit(text)
    with replacing(Path(target)) as file:
        file.write((json.dumps(document, indent=1) + "\n").encode())
    print(target)


if __name__ == "__main__":
    command(__doc__, measure)
