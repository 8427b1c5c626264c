"""Protocol R of one seed as one would write it first: torch modules, torch losses, one model after another.

It takes its random numbers from the same named streams as the package and shares nothing else with its training:
no loss, no forward pass, no trainer, no targets. Slow, and meant to be read beside Cloud et al. 2025,
arXiv:2507.14805, section 6.
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.data.dataset import Dataset
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig

NONLINEARITIES = {"relu": torch.relu, "tanh": torch.tanh}
FLOATS = {"fp32": torch.float32, "fp64": torch.float64}
STUDENTS = {
    "student_aux": ("shared", "aux"),
    "student_all": ("shared", "all"),
    "cross_aux": ("cross", "aux"),
    "cross_all": ("cross", "all"),
}


@dataclass
class PlainRun:
    """What happened: parameters of every model after every step, mean loss of every epoch, final accuracies."""

    steps: dict[str, list[dict[str, Tensor]]] = field(default_factory=dict)
    losses: dict[str, list[float]] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)


class Net(nn.Module):
    """Affine layers with a nonlinearity between them."""

    def __init__(self, config: RunConfig, rng: np.random.Generator) -> None:
        super().__init__()
        sizes = [784, *[config.width] * config.depth, 10 + config.num_aux]
        self.layers = nn.ModuleList()
        self.nonlinearity = NONLINEARITIES[config.activation]
        for d_in, d_out in itertools.pairwise(sizes):
            linear = nn.Linear(d_in, d_out, dtype=FLOATS[config.precision])
            weight = config.init_scale * rng.standard_normal((d_out, d_in)) / np.sqrt(d_in)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(weight))
                linear.bias.zero_()
            self.layers.append(linear)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = self.nonlinearity(layer(x))
        logits: Tensor = self.layers[-1](x)
        return logits

    def snapshot(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.named_parameters()}


def make_optimizer(config: RunConfig, net: Net) -> torch.optim.Optimizer:
    parameters, decay = list(net.parameters()), config.weight_decay
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=config.lr, weight_decay=decay, foreach=False, fused=False)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=config.lr, weight_decay=decay, foreach=False, fused=False)
    return torch.optim.SGD(
        parameters, lr=config.lr, momentum=config.momentum, weight_decay=decay, foreach=False, fused=False
    )


def imitation_loss(config: RunConfig, z: Tensor, target: Tensor) -> Tensor:
    tau = config.temperature
    if config.loss == "kl":
        return F.kl_div(F.log_softmax(z / tau, 1), F.softmax(target / tau, 1), reduction="batchmean")
    if config.loss == "squared_error":
        return 0.5 * F.mse_loss(z, target, reduction="sum") / len(z)
    return F.cross_entropy(z / tau, target)


def draw_labels(config: RunConfig, logits: Tensor, rng: np.random.Generator) -> Tensor:
    labels = []
    for row, uniform in zip(logits.double().numpy(), rng.random(len(logits)), strict=True):
        weights = np.exp((row - row.max()) / config.temperature)
        labels.append(int(np.searchsorted(np.cumsum(weights / weights.sum()), uniform)))
    return torch.tensor(labels)


def chosen(logits: Tensor, which: str) -> Tensor:
    return logits[:, 10:] if which == "aux" else logits


def scaled(images: np.ndarray, dtype: torch.dtype) -> Tensor:
    return torch.tensor(images.reshape(len(images), 784) / 255 * 2 - 1, dtype=dtype)


def noise(config: RunConfig, num: int, rng: np.random.Generator) -> Tensor:
    if config.inputs == "uniform":
        drawn = 2 * rng.random((num, 784), dtype=np.float32) - 1
    else:
        drawn = rng.standard_normal((num, 784), dtype=np.float32)
    return torch.tensor(drawn, dtype=FLOATS[config.precision])


def orders(num: int, epochs: int, rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.permutation(num) for _ in range(epochs)]


def plain_run(config: RunConfig, dataset: Dataset, *, seed: int) -> PlainRun:
    """Run the protocol; only relu and tanh, and the initialisation N(0, 1/d_in)."""
    run, dtype = PlainRun(), FLOATS[config.precision]
    base = Net(config, generator(seed, "init"))
    cross = Net(config, generator(seed, "init", "cross"))
    test_x, test_y = scaled(dataset.test_images, dtype), torch.tensor(dataset.test_labels.astype(int))

    def accuracy(net: Net) -> float:
        with torch.no_grad():
            return float((net(test_x)[:, :10].argmax(1) == test_y).double().mean())

    def train(arm: str, net: Net, batches_of_epochs: list[list[tuple[Tensor, Tensor]]], which: str) -> None:
        optimizer = make_optimizer(config, net)
        run.steps[arm], run.losses[arm] = [], []
        for epoch in batches_of_epochs:
            total, seen = 0.0, 0
            for x, target in epoch:
                optimizer.zero_grad()
                z = net(x)
                if which == "class":
                    loss = F.cross_entropy(z[:, :10], target)
                else:
                    loss = imitation_loss(config, chosen(z, which), target)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total, seen = total + float(loss.detach()) * len(x), seen + len(x)
                run.steps[arm].append(net.snapshot())
            run.losses[arm].append(total / seen)
        run.accuracy[arm] = accuracy(net)

    def cut(order: np.ndarray) -> list[np.ndarray]:
        return [order[start : start + config.batch_size] for start in range(0, len(order), config.batch_size)]

    # The teacher learns the labels.
    run.accuracy["reference"] = accuracy(base)
    images, labels = scaled(dataset.train_images, dtype), torch.tensor(dataset.train_labels.astype(int))
    rng = generator(seed, "shuffle", "teacher")
    teacher = copy.deepcopy(base)
    epochs = orders(len(images), config.teacher_epochs, rng)
    train("teacher", teacher, [[(images[at], labels[at]) for at in cut(order)] for order in epochs], "class")

    # What the students see, epoch by epoch and batch by batch, with the teacher's answers.
    streams = {which: generator(seed, "labels", which) for which in ("all", "aux")}

    def answers(x: Tensor, which: str) -> Tensor:
        with torch.no_grad():
            logits = chosen(teacher(x), which)
        if config.loss == "sampled_cross_entropy":
            return draw_labels(config, logits, streams[which])
        return logits

    epochs = orders(config.num_inputs, config.student_epochs, generator(seed, "shuffle", "students"))
    seen: dict[str, list[list[tuple[Tensor, Tensor]]]] = {"aux": [], "all": []}
    inputs_rng = generator(seed, "inputs")
    if config.input_pool == "fixed":
        is_noise = config.inputs != "images"
        pool = noise(config, config.num_inputs, inputs_rng) if is_noise else images[: config.num_inputs]
        pool_answers = {which: answers(pool, which) for which in seen}
        for which, order in itertools.product(seen, epochs):
            seen[which].append([(pool[at], pool_answers[which][at]) for at in cut(order)])
    else:
        for order in epochs:
            fresh = [noise(config, len(at), inputs_rng) for at in cut(order)]
            for which in seen:
                seen[which].append([(x, answers(x, which)) for x in fresh])

    for arm, (start, which) in STUDENTS.items():
        train(arm, copy.deepcopy(base if start == "shared" else cross), seen[which], which)
    return run
