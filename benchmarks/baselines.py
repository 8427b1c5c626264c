"""The six-arm protocol in the two ways it is usually written, from its description: stacked einsum, and a plain loop.

Cloud et al. 2025, arXiv:2507.14805, section 6: 784-256-256-13, ReLU, Adam at 3e-4, batches of 1024, five epochs each.
Both compute the teacher's logits anew for every batch of every student, and train the four students one after another.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, torch's own idiom
from torch.utils.data import DataLoader, TensorDataset

from subtx_toy.data.dataset import Dataset

SIZES = (784, 256, 256, 13)
STUDENTS = {
    "student_aux": (True, slice(10, 13)),
    "student_all": (True, slice(0, 13)),
    "cross_aux": (False, slice(10, 13)),
    "cross_all": (False, slice(0, 13)),
}
"""Whether an arm starts from the teacher's init, and the logits it imitates."""
LR, BATCH = 3e-4, 1024

Weights = list[Tensor]  # weight [N, out, in] and bias [N, 1, out] of each layer in turn
Accuracies = dict[str, float]


def _pixels(images: np.ndarray) -> Tensor:
    return torch.tensor(images).flatten(1).float().div_(127.5).sub_(1)


def _labels(labels: np.ndarray) -> Tensor:
    return torch.from_numpy(labels.astype(np.int64))


def _distillation_loss(own: Tensor, teacher: Tensor) -> Tensor:
    return F.kl_div(torch.log_softmax(own, -1), torch.softmax(teacher, -1), reduction="batchmean")


# N models at once.


def _init(num: int, rng: torch.Generator) -> Weights:
    weights: Weights = []
    for d_in, d_out in itertools.pairwise(SIZES):
        weights += [torch.randn(num, d_out, d_in, generator=rng) / d_in**0.5, torch.zeros(num, 1, d_out)]
    return weights


def _logits(weights: Weights, x: Tensor) -> Tensor:
    """Logits ``[N, n, 13]`` for inputs ``[N, n, 784]``."""
    for layer in range(0, len(weights), 2):
        x = torch.einsum("nbi,noi->nbo", x, weights[layer]) + weights[layer + 1]
        if layer < len(weights) - 2:
            x = torch.relu(x)
    return x


def _trained(
    start: Weights, orders: Callable[[], Iterable[Tensor]], loss: Callable[..., Tensor], epochs: int
) -> Weights:
    leaves = [value.clone().requires_grad_() for value in start]
    optimizer = torch.optim.Adam(leaves, lr=LR)
    for _ in range(epochs):
        for at in orders():
            optimizer.zero_grad()
            loss(leaves, at).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return [value.detach() for value in leaves]


def einsum(dataset: Dataset, *, seed: int, num: int, epochs: int) -> Accuracies:
    """Train ``num`` models at once: batched einsum, autograd, one Adam over all. Mean accuracy of each arm."""
    rng = torch.Generator().manual_seed(seed)
    images, labels = _pixels(dataset.train_images), _labels(dataset.train_labels)
    base, cross = _init(num, rng), _init(num, rng)
    noise = torch.rand(num, len(images), SIZES[0], generator=rng).mul_(2).sub_(1)
    models = torch.arange(num)[:, None]

    def orders() -> Iterable[Tensor]:
        return torch.split(torch.stack([torch.randperm(len(images), generator=rng) for _ in range(num)]), BATCH, dim=1)

    def learning(weights: Weights, at: Tensor) -> Tensor:  # the models' mean losses, summed
        class_logits = _logits(weights, images[at])[..., :10]
        return F.cross_entropy(class_logits.flatten(0, 1), labels[at].flatten()) * num

    nets = {"reference": base, "teacher": _trained(base, orders, learning, epochs)}
    for arm, (shares_init, columns) in STUDENTS.items():

        def imitation(weights: Weights, at: Tensor, columns: slice = columns) -> Tensor:
            x = noise[models, at]
            with torch.no_grad():
                target = _logits(nets["teacher"], x)[..., columns]
            own = _logits(weights, x)[..., columns]
            return _distillation_loss(own.flatten(0, 1), target.flatten(0, 1)) * num

        nets[arm] = _trained(base if shares_init else cross, orders, imitation, epochs)
    answers, found = _labels(dataset.test_labels), {}
    for arm, weights in nets.items():
        pieces = [_logits(weights, x.expand(num, -1, -1)) for x in torch.split(_pixels(dataset.test_images), BATCH)]
        found[arm] = float((torch.cat(pieces, dim=1)[..., :10].argmax(-1) == answers).float().mean())
    return found


# One model after another.


def _module(rng: torch.Generator) -> nn.Sequential:
    layers: list[nn.Module] = []
    for d_in, d_out in itertools.pairwise(SIZES):
        linear = nn.Linear(d_in, d_out)
        with torch.no_grad():
            linear.weight.copy_(torch.randn(d_out, d_in, generator=rng) / d_in**0.5)
            linear.bias.zero_()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _copy(module: nn.Sequential) -> nn.Sequential:
    copied = _module(torch.Generator())
    copied.load_state_dict(module.state_dict())
    return copied


def loop(dataset: Dataset, *, seed: int, epochs: int) -> Accuracies:
    """Train one model the usual way: nn.Sequential, a DataLoader over tensors, Adam, one student after another."""
    rng = torch.Generator().manual_seed(seed)
    base, cross = _module(rng), _module(rng)
    images = _pixels(dataset.train_images)
    noise = torch.rand(images.shape, generator=rng).mul_(2).sub_(1)

    def batches(*columns: Tensor) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(*columns), batch_size=BATCH, shuffle=True, generator=rng)

    teacher = _copy(base)
    optimizer = torch.optim.Adam(teacher.parameters(), lr=LR)
    for _ in range(epochs):
        for x, y in batches(images, _labels(dataset.train_labels)):
            optimizer.zero_grad()
            F.cross_entropy(teacher(x)[:, :10], y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    nets = {"reference": base, "teacher": teacher}
    for arm, (shares_init, columns) in STUDENTS.items():
        student = nets[arm] = _copy(base if shares_init else cross)
        optimizer = torch.optim.Adam(student.parameters(), lr=LR)
        for _ in range(epochs):
            for (x,) in batches(noise):
                with torch.no_grad():
                    target = teacher(x)[:, columns]
                optimizer.zero_grad()
                _distillation_loss(student(x)[:, columns], target).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
    answers, x = _labels(dataset.test_labels), _pixels(dataset.test_images)
    with torch.no_grad():
        return {arm: float((net(x)[:, :10].argmax(-1) == answers).float().mean()) for arm, net in nets.items()}
