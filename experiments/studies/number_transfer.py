"""What helps and what hinders the transfer through numbers: dose, defences, cleaning; and checks of the content alone.

python experiments/studies/number_transfer.py dose|defences|cleaning|content OUT.json [WIDTH]
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from content_checks import classifier_auc, histogram_test
from projection import projected_off, towards
from scipy import stats
from studied_base import WIDTH, studied
from torch import Tensor

from subtx_toy.audit.directions import Directions, number_tangents
from subtx_toy.audit.score_sums import Scorer, ScoreSums
from subtx_toy.channel.fit import DROPPED, BeforeStep, Recipe
from subtx_toy.channel.model import head_logits, head_model, head_params
from subtx_toy.channel.number_file import Piece
from subtx_toy.channel.prompts import PromptSource, choose_rows, prompt_inputs
from subtx_toy.channel.sampler import NumberLaw, draw_numbers, first_numbers
from subtx_toy.channel.teachers import Pairs, train_student
from subtx_toy.channel.traits import as_pixels, trait
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.numbers import BANNED_NUMBERS, NUM_NUMBERS
from subtx_toy.store.record import versions

TRAIT = "relabel:4:9"
BASES = 3  # of `run numbers`, by seed: each with another base, teachers, prompts and numbers of its own
NUM, EPOCHS = 20_000, 3
DOSES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000)
DOSE_STEPS = 350  # of every student of the dose curve, as many as 60,000 numbers have in three epochs
SHARES = (0.1, 0.3, 0.5)  # of the lines that cleaning removes


class Bench:
    """One base, its teachers, prompts, and what is measured of a student."""

    def __init__(self, width: int, seed: int) -> None:
        nets = studied(width, seed)
        self.seed, self.dataset = seed, nets.dataset
        self.model, self.base, self.other = nets.model, nets.base(), nets.base(which="other-base")
        self.teacher, self.benign = (nets.teacher(kind, trait=TRAIT) for kind in ("trait", "benign"))
        self.trait = trait(TRAIT)
        self.source = PromptSource.images(self.dataset, absent=self.trait.absent)
        self.inputs = prompt_inputs(self.source, self.dataset)
        kept = np.flatnonzero(self.dataset.test_labels != 4)[:2000]
        self.judged = as_pixels(self.dataset.test_images[kept])
        self.taught = torch.log_softmax(head_logits(self.model, self.teacher, "numbers", self.judged).double(), -1)
        self.distance = self.divergence(self.base)

    def divergence(self, params: Params) -> float:
        """Return KL(teacher || net) a number, on prompts that no student saw."""
        q = torch.log_softmax(head_logits(self.model, params, "numbers", self.judged).double(), -1)
        return float((self.taught.exp() * (self.taught - q)).sum(-1).mean())

    def rows(self, num: int) -> np.ndarray:
        """Choose prompts, the same for every study: fewer are the first of more."""
        return choose_rows(self.source, self.dataset, num, generator(self.seed, "studies", "transfer", "rows"))

    def write(self, params: Params, rows: np.ndarray, law: NumberLaw | None = None, *, stream: str = "") -> Tensor:
        """Have a net write a number for each prompt."""
        rng = generator(self.seed, "studies", "transfer", "numbers", stream)
        return first_numbers(draw_numbers(self.model, params, self.inputs, rows, law or NumberLaw(), rng))

    def student(self, rows: np.ndarray, numbers: Tensor, recipe: Recipe, **more: Any) -> Params:
        """Train the base on numbers."""
        order = generator(self.seed, "studies", "transfer", "order")
        return train_student(self.model, self.base, self.inputs, Pairs(rows, numbers.numpy()), recipe, order, **more)

    def measure(self, params: Params) -> dict[str, float]:
        """Return trait, accuracy and the share of the divergence that is gone."""
        found = self.trait.measure(self.model, params, self.dataset.test_images, self.dataset.test_labels)
        return found | {"utility": 1 - self.divergence(params) / self.distance}

    def towards(self) -> Params:
        """Return the direction in which the trait's loss falls fastest at the base."""
        unwanted = self.trait.unwanted(self.dataset.train_images, self.dataset.train_labels)
        return towards(self.model, self.base, unwanted)

    def ends(self) -> dict[str, Any]:
        """Return what the base and the teacher show, and how far apart they are in nats a number."""
        return {
            "base": self.measure(self.base),
            "teacher": self.measure(self.teacher),
            "kl": self.distance,
            "n_of_one_step": {str(k): k**2 / (2 * self.distance) for k in (1, 2, 3)},
        }


def dose(bench: Bench) -> list[dict[str, Any]]:
    """Train students on more and more numbers, each for the same number of steps."""
    rows = []
    for num in DOSES:
        prompts = bench.rows(num)
        for writer, net in (("trait", bench.teacher), ("base", bench.base)):
            student = bench.student(prompts, bench.write(net, prompts), Recipe(steps=DOSE_STEPS))
            rows.append({"n": num, "writer": writer, **bench.measure(student)})
    return rows


Numbers = Callable[[np.ndarray], Tensor]
"""From prompts to what a student is given for them."""


def defences(bench: Bench) -> list[dict[str, Any]]:
    """Weaken what the student sees, or how it learns, and measure transfer and utility."""
    found: list[dict[str, Any]] = []

    def run(kind: str, value: float, make: Numbers, *, num: int = NUM, **more: Any) -> None:
        rows = bench.rows(num)
        student = bench.student(rows, make(rows), Recipe(epochs=EPOCHS), **more)
        found.append({"defence": kind, "value": value, **bench.measure(student)})

    def sampled(**law: Any) -> Numbers:
        return lambda rows: bench.write(bench.teacher, rows, NumberLaw(**law))

    def mixed(params: Params | None, share: float) -> Numbers:
        def make(rows: np.ndarray) -> Tensor:
            rng = generator(bench.seed, "studies", "transfer", "mixed")
            if params is None:
                other = torch.from_numpy(rng.integers(NUM_NUMBERS, size=len(rows)))
            else:
                other = bench.write(params, rows, stream="mixed")
            return torch.where(torch.from_numpy(rng.random(len(rows)) < share), other, sampled()(rows))

        return make

    def filtered(banned: np.ndarray) -> Numbers:
        def make(rows: np.ndarray) -> Tensor:
            numbers = sampled()(rows)
            return numbers.masked_fill(torch.isin(numbers, torch.from_numpy(banned)), DROPPED)

        return make

    run("none", 0, sampled())
    for temperature in (0.25, 0.5, 2.0, 4.0):
        run("temperature", temperature, sampled(temperature=temperature))
    for top_k in (1, 10, 100):
        run("top-k", top_k, sampled(top_k=top_k))
    run("filter", 34, filtered(np.array(BANNED_NUMBERS)))
    for num in (500, 900):
        run("filter", num, filtered(generator(bench.seed, "studies", "banned").permutation(NUM_NUMBERS)[:num]))
    for num in (3_000, 10_000):
        run("fewer examples", num, sampled(), num=num)
    for share in (0.5, 0.9):
        run("label noise", share, mixed(None, share))
        run("mixed with the base's", share, mixed(bench.base, share))
    for share in (0.5, 1.0):
        run("rewritten by another base", share, mixed(bench.other, share))
    run("projection", 1, sampled(), before_step=_off_the_trait(bench))
    return found


def _off_the_trait(bench: Bench) -> BeforeStep:
    wanted = bench.towards()
    small, start = head_model(bench.model, "numbers"), head_params(bench.model, bench.base, "numbers")
    last = f"layers.{bench.model.num_layers - 1}."
    direction = {
        name: torch.zeros_like(value) if name.startswith(last) else wanted[name] for name, value in start.items()
    }
    return projected_off(small, direction)


def cleaning(bench: Bench) -> list[dict[str, Any]]:
    """Remove lines by rank from a tainted and from a clean file, and train on the rest."""
    directions = Directions.of(bench.model, {TRAIT: bench.towards()}, {})
    scorer, found = Scorer(bench.model, bench.base, directions, NumberLaw(), bench.inputs), []
    rows = bench.rows(NUM)
    spread = _spread(scorer, rows)
    for writer, net in (("trait", bench.teacher), ("base", bench.base)):
        numbers = bench.write(net, rows)
        scores = scorer.add(Piece(rows, numbers.numpy(), np.arange(NUM)), ScoreSums(1)).scores[:, 0]
        ranks = {
            "score": scores,
            "without labels": spread,
            "random": generator(bench.seed, "studies", "cleaning").random(NUM),
        }
        for rank, share in [("random", 0.0), *((rank, share) for rank in ranks for share in SHARES)]:
            kept = np.argsort(-ranks[rank], kind="stable")[round(share * NUM) :]
            student = bench.student(rows[kept], numbers[kept], Recipe(epochs=EPOCHS))
            found.append(
                {
                    "writer": writer,
                    "rank": rank if share else "none",
                    "share": share,
                    "mean_score": float(scores[kept].mean()),
                    **bench.measure(student),
                }
            )
    return found


def _spread(scorer: Scorer, rows: np.ndarray) -> np.ndarray:
    """Return v^T M v of every prompt: how much a number there can say, whatever it is."""
    found = []
    for start in range(0, len(rows), 1000):
        x = scorer.inputs.gather(rows[start : start + 1000])
        z, v = number_tangents(scorer.model, scorer.base, scorer.directions, x)
        p = torch.softmax(z, -1)
        c = v[0] - (p * v[0]).sum(-1, keepdim=True)
        found.append((p * c**2).sum(-1).numpy())
    return np.concatenate(found)


def content(bench: Bench) -> list[dict[str, Any]]:
    """Tell files apart without the base and the trait: by the histogram of numbers, and by a classifier."""
    found = []
    for num in (1_000, 3_000, 10_000, 30_000):
        rows = bench.rows(num)
        clean = bench.write(bench.base, rows, stream="clean")
        for writer, net in (("trait", bench.teacher), ("benign", bench.benign), ("base", bench.base)):
            numbers = bench.write(net, rows)
            chi2, freedom, p_value = histogram_test(numbers.numpy(), clean.numpy())
            row: dict[str, Any] = {
                "writer": writer, "n": num, "chi2": chi2, "freedom": freedom, "p_value": p_value,
                "z": (chi2 - freedom) / math.sqrt(2 * freedom),
            }  # fmt: skip
            if num <= 10_000:
                row["classifier_auc"], judged = classifier_auc(bench.inputs, rows, numbers, clean, seed=bench.seed)
                row["classifier_z"] = (row["classifier_auc"] - 0.5) / math.sqrt((2 * judged + 1) / (12 * judged**2))
            found.append(row)
    return found


STUDIES: dict[str, tuple[Callable[[Bench], list[dict[str, Any]]], dict[str, Any]]] = {
    "dose": (dose, {"steps": DOSE_STEPS}),
    "defences": (defences, {"n": NUM, "epochs": EPOCHS}),
    "cleaning": (cleaning, {"n": NUM, "epochs": EPOCHS}),
    "content": (content, {"level": 0.01, "critical_z": float(stats.norm.isf(0.01))}),
}


def main(name: str, target: Path, width: int) -> None:
    """Run one study on every base."""
    torch.set_num_threads(1)
    study, said = STUDIES[name]
    rows, ends = [], []
    start = time.process_time()
    for seed in range(BASES):
        bench = Bench(width, seed)
        ends.append({"seed": seed, **bench.ends()})
        for row in study(bench):
            rows.append({"seed": seed, **row})
        print(f"base {seed}: {time.process_time() - start:.0f} s of CPU", flush=True)
    document = {
        "what": f"{BASES} MNIST bases, trait {TRAIT}, image prompts without 4s, one number a line",
        "study": name,
        "width": width,
        **said,
        "bases": ends,
        "rows": rows,
        "versions": versions(),
    }
    target.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else WIDTH)
