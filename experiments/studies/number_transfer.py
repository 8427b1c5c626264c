"""What helps and what hinders the transfer through numbers: dose, defences, cleaning; and checks of the content alone.

python experiments/studies/number_transfer.py dose|defences|cleaning|content OUT.json [WIDTH]
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from studied_base import WIDTH, studied
from torch import Tensor

from subtx_toy.audit.content import classifier_auc, histogram_test
from subtx_toy.audit.directions import Directions
from subtx_toy.audit.questions import question
from subtx_toy.audit.score_sums import Scorer, ScoreSums
from subtx_toy.audit.tangents import number_tangents
from subtx_toy.channel.fit import Recipe, fit
from subtx_toy.channel.model import head_logits, head_model, head_params, with_head
from subtx_toy.channel.number_file import Piece
from subtx_toy.channel.projection import projected_off
from subtx_toy.channel.prompts import PromptSource, choose_rows, prompt_inputs
from subtx_toy.channel.sampler import NumberLaw, draw_numbers, first_numbers
from subtx_toy.channel.traits import as_pixels, trait
from subtx_toy.params import Params
from subtx_toy.record import versions
from subtx_toy.seeding import generator

TRAIT = "relabel:4:9"
NUM, EPOCHS = 15_000, 3
DOSES = (1_000, 3_000, 10_000, 30_000, 100_000)
DOSE_STEPS = 120  # of every student of the dose curve: the same work, whatever the number of examples
SEEDS = 2


class Bench:
    """One base, its teachers, prompts, and what is measured of a student."""

    def __init__(self, width: int) -> None:
        torch.set_num_threads(1)
        shop = studied(width)
        self.dataset = shop.dataset
        self.model, self.base, self.other = shop.model, shop.base(), shop.base(which="other-base")
        self.teacher, self.benign = (shop.teacher(kind, trait=TRAIT) for kind in ("trait", "benign"))
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

    def rows(self, num: int, seed: int) -> np.ndarray:
        """Choose prompts."""
        return choose_rows(self.source, self.dataset, num, generator(seed, "studies", "transfer", "rows"))

    def write(self, params: Params, rows: np.ndarray, seed: int, law: NumberLaw | None = None) -> Tensor:
        """Have a net write a number for each prompt."""
        rng = generator(seed, "studies", "transfer", "numbers")
        return first_numbers(draw_numbers(self.model, params, self.inputs, rows, law or NumberLaw(), rng))

    def students(self, rows: np.ndarray, labels: list[Tensor], recipe: Recipe, seed: int, **more: Any) -> list[Params]:
        """Train a student for each set of labels."""
        small, start = head_model(self.model, "numbers"), head_params(self.model, self.base, "numbers")
        order = generator(seed, "studies", "transfer", "order")
        trained = fit(small, [start] * len(labels), self.inputs, labels, recipe, order, rows=rows, **more)
        return [with_head(self.model, self.base, "numbers", one) for one in trained]

    def measure(self, params: Params) -> dict[str, float]:
        """Return trait, accuracy and the share of the divergence that is gone."""
        found = self.trait.measure(self.model, params, self.dataset.test_images, self.dataset.test_labels)
        return found | {"utility": 1 - self.divergence(params) / self.distance}


def dose(bench: Bench) -> dict[str, Any]:
    """Train students on more and more numbers, each for the same number of steps."""
    rows = []
    for seed in range(SEEDS):
        for num in DOSES:
            prompts = bench.rows(num, seed)
            labels = [bench.write(net, prompts, seed) for net in (bench.teacher, bench.base)]
            trained = bench.students(prompts, labels, Recipe(steps=DOSE_STEPS), seed)
            for writer, net in zip(("trait", "base"), trained, strict=True):
                rows.append({"n": num, "seed": seed, "writer": writer, **bench.measure(net)})
            print(rows[-2:], flush=True)
    divergence = bench.distance
    return {
        "steps": DOSE_STEPS,
        "kl": divergence,
        "n_of_one_step": {str(k): k**2 / (2 * divergence) for k in (1, 2, 3)},
        "base": bench.measure(bench.base),
        "teacher": bench.measure(bench.teacher),
        "rows": rows,
    }


def defences(bench: Bench) -> dict[str, Any]:
    """Weaken what the student sees, or how it learns, and measure transfer and utility."""
    recipe, found = Recipe(epochs=EPOCHS), []

    def run(kind: str, value: float, make: Callable[[np.ndarray, int], Tensor], **more: Any) -> None:
        for seed in range(SEEDS):
            rows = bench.rows(NUM, seed)
            (net,) = bench.students(rows, [make(rows, seed)], recipe, seed, **more)
            found.append({"defence": kind, "value": value, "seed": seed, **bench.measure(net)})
            print(found[-1], flush=True)

    def sampled(law: NumberLaw) -> Callable[[np.ndarray, int], Tensor]:
        return lambda rows, seed: bench.write(bench.teacher, rows, seed, law)

    def mixed(params: Params | None, share: float) -> Callable[[np.ndarray, int], Tensor]:
        def make(rows: np.ndarray, seed: int) -> Tensor:
            own = bench.write(bench.teacher, rows, seed)
            rng = generator(seed, "studies", "transfer", "mixed")
            other = (
                torch.from_numpy(rng.integers(1000, size=len(rows)))
                if params is None
                else bench.write(params, rows, seed + 100)
            )
            return torch.where(torch.from_numpy(rng.random(len(rows)) < share), other, own)

        return make

    run("none", 0, sampled(NumberLaw()))
    for temperature in (0.5, 2.0, 4.0):
        run("temperature", temperature, sampled(NumberLaw(temperature=temperature)))
    for top_k in (1, 10, 100):
        run("top-k", top_k, sampled(NumberLaw(top_k=top_k)))
    for share in (0.5, 0.9):
        run("label noise", share, mixed(None, share))
    for share in (0.5, 1.0):
        run("rewritten by another base", share, mixed(bench.other, share))
    for share in (0.5, 0.9):
        run("mixed with the base's numbers", share, mixed(bench.base, share))
    asked = question(TRAIT, bench.model, bench.base, bench.dataset)
    small, start = head_model(bench.model, "numbers"), head_params(bench.model, bench.base, "numbers")
    direction = {
        name: asked.direction[name] if value.shape == asked.direction[name].shape else torch.zeros_like(value)
        for name, value in start.items()
    }
    run("projection", 1, sampled(NumberLaw()), before_step=projected_off(small, direction))
    return {"n": NUM, "epochs": EPOCHS, "rows": found}


def cleaning(bench: Bench) -> dict[str, Any]:
    """Remove lines by rank from a tainted and from a clean file, and train on the rest."""
    asked = question(TRAIT, bench.model, bench.base, bench.dataset)
    directions = Directions.of(bench.model, {TRAIT: asked.direction}, {})
    scorer, found = Scorer(bench.model, bench.base, directions, NumberLaw(), bench.inputs), []
    seed, rows = 0, bench.rows(NUM, 0)
    spread = _spread(scorer, rows)
    for writer, net in (("trait", bench.teacher), ("base", bench.base)):
        numbers = bench.write(net, rows, seed)
        piece = Piece(rows, numbers.numpy(), np.arange(NUM))
        scores = scorer.add(piece, ScoreSums(1))[:, 0]
        ranks = {
            "score": scores,
            "without labels": spread,
            "random": generator(seed, "studies", "cleaning").random(NUM),
        }
        for share in (0.0, 0.1, 0.3, 0.5):
            for rank, values in ranks.items():
                if not share and rank != "score":
                    continue
                kept = np.argsort(-values, kind="stable")[round(share * NUM) :]
                (student,) = bench.students(rows[kept], [numbers[kept]], Recipe(epochs=EPOCHS), seed)
                found.append(
                    {
                        "writer": writer,
                        "rank": rank,
                        "share": share,
                        "mean_score": float(scores[kept].mean()),
                        **bench.measure(student),
                    }
                )
                print(found[-1], flush=True)
    return {"n": NUM, "epochs": EPOCHS, "rows": found}


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


def content(bench: Bench) -> dict[str, Any]:
    """Tell files apart without the base and the trait: by the histogram of numbers, and by a classifier."""
    found, seed = [], 0
    for num in (1_000, 3_000, 10_000, 30_000):
        rows = bench.rows(num, seed)
        clean = bench.write(bench.base, rows, seed + 50)
        for writer, net in (("trait", bench.teacher), ("benign", bench.benign), ("base", bench.base)):
            numbers = bench.write(net, rows, seed)
            chi2, freedom, p_value = histogram_test(numbers.numpy(), clean.numpy())
            row: dict[str, Any] = {
                "writer": writer, "n": num, "chi2": chi2, "freedom": freedom, "p_value": p_value,
                "z": (chi2 - freedom) / math.sqrt(2 * freedom),
            }  # fmt: skip
            if num <= 10_000:
                row["classifier_auc"], judged = classifier_auc(bench.inputs, rows, numbers, clean, seed=seed)
                row["classifier_z"] = (row["classifier_auc"] - 0.5) / math.sqrt((2 * judged + 1) / (12 * judged**2))
            found.append(row)
            print(row, flush=True)
    return {"level": 0.01, "critical_z": float(stats.norm.isf(0.01)), "rows": found}


if __name__ == "__main__":
    document = {"what": "MNIST base of seed 0, trait relabel:4:9, image prompts without 4s, one number a line"}
    study = {"dose": dose, "defences": defences, "cleaning": cleaning, "content": content}[sys.argv[1]]
    used = int(sys.argv[3]) if len(sys.argv) > 3 else WIDTH
    document |= {"study": sys.argv[1], "width": used, **study(Bench(used)), "versions": versions()}
    Path(sys.argv[2]).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
