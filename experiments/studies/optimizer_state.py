"""Measure how much of a trait grows after the file that carries it has ended, with the optimiser kept or restarted.

A student of 784-256-256-13 learns the teacher's auxiliary logits on noise for a while by Adam: the file. Then the file
ends, and the student goes on in one of these ways:

    kept       on a neutral file, the base's own outputs on noise, with its optimiser as it is
    restarted  on the neutral file, with a fresh optimiser
    no_first   on the neutral file, with the first moment alone set to zero
    coasting   without a gradient: the first moment runs out
    carried    a BASE that never saw the file gets the optimiser's state, and goes on with the neutral file
    fresh      a base with a fresh optimiser goes on with the neutral file

    python experiments/studies/optimizer_state.py docs/results/optimizer-state.json 5
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from function_space import trained
from scipy import stats
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.data import load
from subtx_toy.data.noise import draw_noise, pixels
from subtx_toy.problem.model import FastMLP, accuracy
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.store.record import versions

NUM_TRAIN, NUM_TEST, FILE_STEPS, BATCH, LR, BETAS = 12_000, 1000, 150, 256, 1e-3, (0.9, 0.999)
AFTER = (0, 1, 2, 5, 10, 20, 50, 100)
ARMS = ("kept", "restarted", "no_first", "coasting", "carried", "fresh")
State = tuple[Tensor, Tensor, Tensor, int]  # parameters, first and second moment, steps


class Net:
    """The student as a function of one flat vector, in float32."""

    def __init__(self, model: FastMLP, base: Params) -> None:
        self.model, self.shapes = model, {name: value.shape for name, value in base.items()}
        self.sizes = [value.numel() for value in base.values()]

    def logits(self, flat: Tensor, x: Tensor) -> Tensor:
        """Return all logits."""
        pieces = torch.split(flat, self.sizes)
        params = {name: piece.view(shape) for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)}
        return self.model.apply(params, x)


def step(net: Net, state: State, x: Tensor, targets: Tensor | None) -> State:
    """Take one step of Adam on KL of the auxiliary logits; without targets the gradient is zero."""
    flat, first, second, count = state
    g = torch.zeros_like(flat)
    if targets is not None:
        leaf = flat.clone().requires_grad_()
        loss = F.kl_div(
            F.log_softmax(net.logits(leaf, x)[:, 10:], -1), F.log_softmax(targets, -1), log_target=True,
            reduction="batchmean",
        )  # fmt: skip
        (g,) = torch.autograd.grad(loss, leaf)
    first, count = BETAS[0] * first + (1 - BETAS[0]) * g, count + 1
    if targets is not None:
        second = BETAS[1] * second + (1 - BETAS[1]) * g * g
    size = (second / (1 - BETAS[1] ** count)).sqrt() + 1e-8
    return flat - LR / (1 - BETAS[0] ** count) * first / size, first, second, count


def measure(seed: int) -> dict[str, Any]:
    """Return accuracy and the coefficient of the class logits' change after the cut, by arm."""
    data = load("mnist", num_train=NUM_TRAIN, num_test=NUM_TEST)
    images, test = (pixels(one, torch.empty(len(one), 784)) for one in (data.train_images, data.test_images))
    train_labels, labels = (torch.from_numpy(one.astype(np.int64)) for one in (data.train_labels, data.test_labels))
    model = FastMLP((784, 256, 256, 13), "relu", num_classes=10)  # type: ignore[arg-type]
    base = model.initial(generator(seed, "studies", "init"))
    teacher = trained(model, base, images, train_labels, seed)
    net = Net(model, base)
    start, taught = (torch.cat([value.float().reshape(-1) for value in one.values()]) for one in (base, teacher))
    noise = generator(seed, "studies", "file")

    def batch() -> Tensor:
        return draw_noise("uniform", noise, torch.empty(BATCH, 784))

    before = net.logits(start, test)[:, :10]
    wanted = net.logits(taught, test)[:, :10] - before
    zero = torch.zeros_like(start)
    state: State = (start, zero, zero, 0)
    for _ in range(FILE_STEPS):
        x = batch()
        state = step(net, state, x, net.logits(taught, x)[:, 10:])
    flat, first, second, count = state
    arms: dict[str, State] = {
        "kept": state,
        "restarted": (flat, zero, zero, 0),
        "no_first": (flat, zero, second, count),
        "coasting": state,
        "carried": (start, first, second, count),
        "fresh": (start, zero, zero, 0),
    }
    inputs = [batch() for _ in range(max(AFTER))]
    found: dict[str, Any] = {}
    for arm, now in arms.items():
        rows = []
        for number in range(max(AFTER) + 1):
            if number in AFTER:
                said = net.logits(now[0], test)[:, :10]
                coefficient = float(((said - before) * wanted).sum() / wanted.square().sum())
                rows.append({"after": number, "accuracy": accuracy(said, labels), "coefficient": coefficient})
            if number < max(AFTER):
                x = inputs[number]
                now = step(net, now, x, None if arm == "coasting" else net.logits(start, x)[:, 10:])
        found[arm] = rows
    teacher_accuracy = accuracy(before + wanted, labels)
    return {"seed": seed, "teacher_accuracy": teacher_accuracy, "arms": found}


def summary(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return means over seeds with Student's 95 % intervals, of levels and of changes since the cut."""
    rows = []
    for arm in ARMS:
        for at, number in enumerate(AFTER):
            row: dict[str, Any] = {"arm": arm, "after": number}
            for name in ("accuracy", "coefficient"):
                values = np.array([line["arms"][arm][at][name] for line in lines])
                cut = np.array([line["arms"][arm][0][name] for line in lines])
                for label, numbers in ((name, values), (f"{name}_since", values - cut)):
                    half = stats.t.ppf(0.975, len(numbers) - 1) * numbers.std(ddof=1) / len(numbers) ** 0.5
                    row[label] = {"mean": numbers.mean(), "ci95": [numbers.mean() - half, numbers.mean() + half]}
            rows.append(row)
    return rows


def main() -> None:
    """Measure the seeds and write the document."""
    torch.set_num_threads(1)
    lines = [measure(seed) for seed in range(int(sys.argv[2]))]
    document = {"versions": versions(), "num_seeds": len(lines), "table": summary(lines), "seeds": lines}
    Path(sys.argv[1]).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
