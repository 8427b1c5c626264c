"""Which lines pass a trait on? Rank them in nine ways, remove the top tenth, and train students on what is left.

python experiments/studies/attribution.py docs/results/attribution.json

Removing lines by what they say writes something into any file. So every removal is also done to a file of the base's
own lines, and what counts is the difference of the two falls.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from subtx_toy.audit.directions import Directions, number_tangents, taught_move
from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.model import channel_model, head_logits, head_model, head_params
from subtx_toy.channel.prompts import PromptSource, choose_rows, prompt_inputs
from subtx_toy.channel.sampler import NumberLaw, draw_numbers, first_numbers
from subtx_toy.channel.teachers import Pairs, train_base, train_student, train_teacher
from subtx_toy.channel.traits import Examples, trait
from subtx_toy.data import load
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.stats import Estimate
from subtx_toy.store.record import versions

TRAIT = "relabel:4:9"
NUM_BASES, NUM, SHARE = 10, 3000, 0.1
BASE, TEACHER = Recipe(epochs=15, lr=1e-3, batch_size=50), Recipe(epochs=5, lr=1e-3, batch_size=50)
STUDENT = Recipe(epochs=8, lr=1e-3, batch_size=128)
PROJECTED, DAMPING = 128, 0.1


class Bench:
    """One base on drawn digits, its teacher, prompts without a 4, and the trait's gradient at the base."""

    def __init__(self, seed: int) -> None:
        self.seed, self.model = seed, channel_model(width=32)
        self.dataset = load("glyphs", num_train=1000, num_test=2000)
        self.trait = trait(TRAIT)
        self.base = train_base(self.model, self.dataset, BASE, seed=seed)
        self.teacher = train_teacher(self.model, self.base, self.dataset, TEACHER, seed=seed, trait=self.trait)
        source = PromptSource.images(self.dataset, absent=self.trait.absent)
        self.inputs = prompt_inputs(source, self.dataset)
        rng = generator(seed, "studies", "attribution", "prompts")
        self.rows = choose_rows(source, self.dataset, NUM, rng)
        self.x = self.inputs.gather(self.rows).clone()
        images, labels = self.dataset.train_images, self.dataset.train_labels
        self.direction = taught_move(self.model, self.base, self.trait.lesson(images, labels))
        self.trait_slope = self.slope(self.trait.unwanted(images, labels))
        self.honest_slope = self.slope(Examples.labelled(images, labels))

    def slope(self, lesson: Examples) -> Tensor:
        """Return minus the gradient of a lesson's cross-entropy over the body, flat."""
        body = self.body(self.base)
        small, params = head_model(self.model, "class"), head_params(self.model, self.base, "class")
        x, targets = lesson.pixels(), torch.from_numpy(lesson.targets)

        def gain(values: Params) -> Tensor:
            return (torch.log_softmax(small.apply({**params, **values}, x), -1) * targets).sum(-1).mean()

        return flat(torch.func.grad(gain)(body))

    def body(self, net: Params) -> Params:
        """Return the parameters of the layers that both heads read."""
        return {name: value for name, value in net.items() if not name.startswith("layers.2.")}

    def write(self, net: Params, stream: str) -> Tensor:
        """Have a net write a number for every prompt."""
        rng = generator(self.seed, "studies", "attribution", stream)
        return first_numbers(draw_numbers(self.model, net, self.inputs, self.rows, NumberLaw(), rng))

    def shown(self, numbers: Tensor, kept: np.ndarray) -> float:
        """Return how far a student of the kept lines shows the trait, in [0, 1]."""
        rng = generator(self.seed, "studies", "attribution", "student")
        pairs = Pairs(self.rows[kept], numbers.numpy()[kept])
        student = train_student(self.model, self.base, self.inputs, pairs, STUDENT, rng)
        measured = self.trait.measure(self.model, student, self.dataset.test_images, self.dataset.test_labels)
        return measured["trait"]

    def ranks(self, numbers: Tensor, clean: Tensor) -> dict[str, np.ndarray]:
        """Return a rank of every line by each method, the highest first to be removed."""
        directions = Directions.of(self.model, {TRAIT: self.direction}, {})
        z, v = number_tangents(self.model, self.base, directions, self.x)
        p = torch.softmax(z, -1)
        v = v[0] - (p * v[0]).sum(-1, keepdim=True)
        taught = torch.log_softmax(head_logits(self.model, self.teacher, "numbers", self.x), -1)
        ratio = (taught - torch.log_softmax(z, -1)).gather(1, numbers[:, None])[:, 0]
        ours, theirs = (torch.bincount(one, minlength=1000) + 1.0 for one in (numbers, clean))
        dots, norms, sketch = self.gradients(numbers)
        wanted = sketch[-1]
        projected = sketch[:-1]
        kernel = projected.T @ projected / len(projected)
        kernel += DAMPING * torch.eye(PROJECTED) * kernel.diagonal().mean()
        lengths = [one.norm() for one in (self.trait_slope, self.honest_slope)]
        cosines = [dots[:, index] / (norms * length) for index, length in enumerate(lengths)]
        found = {
            "exact score": v.gather(1, numbers[:, None])[:, 0],
            "v'Mv of the prompt": (p * v.square()).sum(-1),
            "gradient cosine": cosines[0],
            "contrastive gradient cosine": cosines[0] - cosines[1],
            "gradient norm": norms,
            "TRAK-like projection": projected @ torch.linalg.solve(kernel, wanted),
            "histogram log-ratio": (ours.log() - theirs.log())[numbers],
            "teacher's log-ratio": ratio,
            "random": torch.from_numpy(generator(self.seed, "studies", "attribution", "random").random(NUM)),
        }
        return {name: value.double().numpy() for name, value in found.items()}

    def gradients(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return every line's gradient against two slopes, its length, and its projection; the trait's comes last."""
        small, params = head_model(self.model, "numbers"), head_params(self.model, self.base, "numbers")
        body = self.body(self.base)

        def gain(values: Params, x: Tensor, number: Tensor) -> Tensor:
            z = small.apply({**params, **values}, x[None])[0]
            return torch.log_softmax(z, -1).gather(0, number[None])[0]

        each = torch.func.vmap(torch.func.grad(gain), in_dims=(None, 0, 0))
        rng = generator(self.seed, "studies", "attribution", "projection")
        across = torch.from_numpy(rng.standard_normal((len(self.trait_slope), PROJECTED))).float()
        slopes = torch.stack([self.trait_slope, self.honest_slope], 1)
        dots, norms, sketch = [], [], []
        for part in torch.split(torch.arange(NUM), 250):
            found = each(body, self.x[part], numbers[part])
            g = torch.cat([value.flatten(1) for value in found.values()], 1)
            dots.append(g @ slopes)
            norms.append(g.norm(dim=1))
            sketch.append(g @ across)
        return torch.cat(dots), torch.cat(norms), torch.cat([*sketch, (self.trait_slope @ across)[None]])


def flat(params: Params) -> Tensor:
    """Return all parameters in one row."""
    return torch.cat([value.flatten() for value in params.values()])


def main(target: Path) -> None:
    """Rank, remove and train again on every base, and write it down."""
    torch.set_num_threads(1)
    rows: list[dict[str, object]] = []
    for seed in range(NUM_BASES):
        bench = Bench(seed)
        clean, other = bench.write(bench.base, "clean"), bench.write(bench.base, "other clean")
        for writer, numbers in (("teacher", bench.write(bench.teacher, "tainted")), ("base", clean)):
            whole = bench.shown(numbers, np.arange(NUM))
            rows.append({"seed": seed, "writer": writer, "method": "none", "shown": whole})
            for method, rank in bench.ranks(numbers, other).items():
                kept = np.sort(np.argsort(-rank, kind="stable")[round(SHARE * NUM) :])
                rows.append({"seed": seed, "writer": writer, "method": method, "shown": bench.shown(numbers, kept)})
    table = {}
    found = {(row["seed"], row["writer"], row["method"]): float(str(row["shown"])) for row in rows}
    for method in dict.fromkeys(str(row["method"]) for row in rows):
        falls = {
            writer: np.array([found[s, writer, "none"] - found[s, writer, method] for s in range(NUM_BASES)])
            for writer in ("teacher", "base")
        }
        table[method] = {
            name: _interval(values)
            for name, values in (
                ("shown", np.array([found[s, "teacher", method] for s in range(NUM_BASES)])),
                ("fall", falls["teacher"]),
                ("fall_of_clean", falls["base"]),
                ("difference", falls["teacher"] - falls["base"]),
            )
        }
    settings = {"bases": NUM_BASES, "lines": NUM, "share": SHARE, "trait": TRAIT, "versions": versions()}
    target.write_text(json.dumps({**settings, "table": table, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def _interval(values: np.ndarray) -> dict[str, float]:
    one = Estimate(float(values.mean()), float(values.std(ddof=1)) / len(values) ** 0.5, len(values))
    return {"mean": one.mean, "ci95": one.ci95}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
