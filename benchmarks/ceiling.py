"""What this machine can do: the protocol's own matrix products with nothing between them, and memory bandwidth."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import torch

from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.training.mlp_stack import side_by_side
from subtx_toy.training.products import Products, products

BATCH, NUM_PIXELS, NUM_STUDENTS = 1024, 784, 4
SIZES = (NUM_PIXELS, 256, 256, 13)


def flops(members: int, rows: int = BATCH) -> float:
    """Floating-point operations of the products of one step: forward, weights' gradients, inputs' gradients."""
    layers = [d_in * d_out for d_in, d_out in itertools.pairwise(SIZES)]
    return 2.0 * rows * members * (3 * sum(layers) - layers[0])


def _step(members: int, rng: np.random.Generator, low: Products) -> Callable[[], None]:
    """Return a function that takes the products of one training step, on buffers of the engine's shapes."""
    stored = low.stored(ACTIVATIONS["relu"], torch.float32)

    def operand(key: str, *shape: int) -> torch.Tensor:
        return low.operand(key, torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)))

    a = [operand("a0", BATCH, NUM_PIXELS), *(operand(f"a{at}", members, BATCH, SIZES[at]) for at in (1, 2))]
    weights = [operand(f"w{at}", members, SIZES[at + 1], SIZES[at]) for at in range(3)]
    first, gradient = (side_by_side(members, BATCH, SIZES[1], stored).transpose(0, 1).flatten(1) for _ in range(2))
    gradient.copy_(torch.from_numpy(rng.standard_normal(tuple(gradient.shape), dtype=np.float32)))
    grads = [low.operand("g0", gradient), *(operand(f"g{at}", members, BATCH, SIZES[at + 1]) for at in (1, 2))]
    z = [first, *(torch.empty(members, BATCH, size, dtype=stored) for size in SIZES[2:])]
    below = torch.empty(members, BATCH, SIZES[1], dtype=stored)
    slopes = [torch.empty(members, SIZES[at + 1], SIZES[at]) for at in range(3)]

    def step() -> None:
        low.write(a[0], weights[0].flatten(0, 1).T, z[0])
        for layer in (1, 2):
            low.write(a[layer], weights[layer].mT, z[layer])
        for layer in (2, 1):
            low.write(grads[layer].mT, a[layer], slopes[layer])
            low.write(grads[layer], weights[layer], below)
        low.write(grads[0].T, a[0], slopes[0].flatten(0, 1))

    return step


def step_seconds(precision: str, *, repeats: int = 8, seed: int = 0) -> dict[str, float]:
    """CPU seconds of the products of one step, the least of ``repeats``: of a teacher and of the four students."""
    rng, found = np.random.default_rng(seed), {}
    for name, members in (("teacher", 1), ("students", NUM_STUDENTS)):
        step = _step(members, rng, products(precision))
        step()
        times = []
        for _ in range(repeats):
            start = time.process_time()
            step()
            times.append(time.process_time() - start)
        found[name] = min(times)
    return found


def protocol_seconds(steps: dict[str, float], config: RunConfig) -> float:
    """CPU seconds of all products of the epochs of one seed, at ``step_seconds``."""
    teacher = config.teacher_epochs * config.num_train / BATCH * steps["teacher"]
    return teacher + config.student_epochs * config.num_inputs / BATCH * steps["students"]


def bandwidth() -> float:
    """GB/s of copying 256 MB, read and written, the best of five."""
    source = np.ones(2**25)
    target, times = np.empty_like(source), []
    for _ in range(5):
        start = time.perf_counter()
        np.copyto(target, source)
        times.append(time.perf_counter() - start)
    return 2 * source.nbytes / min(times) / 1e9
