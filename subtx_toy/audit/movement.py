"""How far a file's writer is from the base: a student of one half of the file, judged by the other half."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.nn.functional import linear

from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.model import head_model, head_params
from subtx_toy.channel.sampler import NumberLaw
from subtx_toy.channel.teachers import Pairs, train_students
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params, axpy, difference
from subtx_toy.seeding import generator
from subtx_toy.training.inputs import Inputs, batches

SHARES = (0.125, 0.25, 0.5, 1.0)
"""Of the way from the base to the student: one of few numbers is mostly noise, and a part of the way is better."""

RECIPE = Recipe(epochs=3, lr=3e-4, batch_size=128)
"""Of the student of one half."""

_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Movement:
    """A student of one half, and what the held-out half says of it.

    ``gain`` is the best over SHARES of the mean log-likelihood ratio of student and base, in nats a number: in
    expectation at most KL(writer || base). ``log_evidence`` is the log of the mean over SHARES of the likelihood ratio
    of the whole half: if the base wrote the file, it exceeds log(1/a) with probability at most a.
    """

    gain: float
    log_evidence: float
    student: Params


def measure_movement(model: MLP, base: Params, inputs: Inputs, pairs: Pairs, law: NumberLaw) -> Movement:
    """Train a student on the lines of every second prompt and judge it by the others.

    No line is split, and none is learnt in one half and judged in the other by a copy of it. Which half a line is in
    depends on the order of ``pairs`` alone. That of a ``Sample`` looks random, so given the prompts the halves are
    independent if the lines are. ``law`` allows all ``pairs`` at the base.

    Reference: Wasserman, Ramdas, Balakrishnan 2020, PNAS 117, 16880-16890, for the split likelihood ratio.
    """
    (found,) = measure_movements(model, base, inputs, pairs.rows, [pairs.numbers], law)
    return found


def measure_movements(
    model: MLP,
    base: Params,
    inputs: Inputs,
    rows: Int[np.ndarray, " n"],
    numbers: Sequence[Int[np.ndarray, " n"]],
    law: NumberLaw,
) -> list[Movement]:
    """Return the ``measure_movement`` of each of several sets of numbers for the same prompts.

    Their students are trained and judged together, so every batch of prompts is read once.
    """
    parity = _in_order(rows) % 2
    learnt, judged = np.flatnonzero(parity == 0), np.flatnonzero(parity == 1)
    if not len(judged):
        return [Movement(0.0, 0.0, base) for _ in numbers]
    # Without top_k, whose set the student would move; the judged numbers are renormalised over the base's set below.
    taught = NumberLaw(law.temperature, 0, law.banned)
    order = generator(0, "audit", "movement")
    halves = [[own[half] for own in numbers] for half in (learnt, judged)]
    students = train_students(model, base, inputs, rows[learnt], halves[0], RECIPE, order, law=taught)
    every = log_ratios(model, base, students, inputs, rows[judged], halves[1], law)
    return [_movement(ratios, student) for ratios, student in zip(every, students, strict=True)]


def _movement(ratios: Float[np.ndarray, "o n"], student: Params) -> Movement:
    evidence = float(np.logaddexp.reduce(ratios.sum(1))) - math.log(len(SHARES))
    return Movement(float(ratios.mean(1).max()), evidence, student)


def _in_order(rows: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Number the prompts from 0 in the order in which they come first."""
    _, first, places = np.unique(rows, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[places]


@torch.no_grad()
def log_ratios(
    model: MLP,
    base: Params,
    students: Sequence[Params],
    inputs: Inputs,
    rows: Int[np.ndarray, " n"],
    numbers: Sequence[Int[np.ndarray, " n"]],
    law: NumberLaw,
) -> Float[np.ndarray, "s o n"]:
    """Return log q(y)/p(y) of the numbers of each student, for each net at one of SHARES of the way to that student.

    p is the law at the base, q that of the other net on the numbers that p allows. What enters the first hidden layer
    is affine in the share, so it is computed for the base and the students alone.
    """
    found = np.zeros((len(students), len(SHARES), len(rows)))
    start, ends = head_params(model, base, "numbers"), [head_params(model, one, "numbers") for one in students]
    upper = MLP(head_model(model, "numbers").sizes[1:], model.activation, num_classes=0)
    nets = [[_above_first(axpy(share, difference(end, start), start)) for share in SHARES] for end in ends]
    reference = _above_first(start)
    for index in batches(len(rows), _ROWS):
        x = inputs.gather(rows[index])
        first = linear(x, start["layers.0.weight"], start["layers.0.bias"])
        log_p = law.log_probabilities(upper.apply(reference, model.activation.apply(first)))
        barred = torch.isinf(log_p)
        some_barred = bool(barred.any())
        for own, end, on_the_way, ratios in zip(numbers, ends, nets, found, strict=True):
            last = linear(x, end["layers.0.weight"], end["layers.0.bias"])
            drawn = torch.from_numpy(own[index].astype(np.int64))[:, None]
            for row, share, net in zip(ratios, SHARES, on_the_way, strict=True):
                z = upper.apply(net, model.activation.apply(torch.lerp(first, last, share))) / law.temperature
                if some_barred:
                    z = z.masked_fill(barred, -torch.inf)
                log_q = torch.log_softmax(z, dim=-1)
                row[index] = (log_q.gather(1, drawn) - log_p.gather(1, drawn))[:, 0].double().numpy()
    return found


def _above_first(params: Params) -> Params:
    """Return the layers above the first hidden one, as those of a net of their own."""
    return {
        f"layers.{layer}.{kind}": params[f"layers.{layer + 1}.{kind}"]
        for layer in range(len(params) // 2 - 1)
        for kind in ("weight", "bias")
    }
