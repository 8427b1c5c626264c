"""Theorem checks a second: problems stacked, against a Python loop over the single route."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence

import torch

from subtx_toy import params as vectors
from subtx_toy.drawn_problem import ProblemSpec
from subtx_toy.problem import Problem
from subtx_toy.theory import batched as theory
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.training import batched as training
from subtx_toy.training.one_step import student_step

SUMMARY = "checks a second on one thread: batched against a loop, 8-16-16-6 tanh, 32 inputs, float64"
MODEL = ProblemSpec(hidden=(16, 16), input_dim=8, num_classes=3, num_aux=3, num_inputs=32, num_trait_inputs=16)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=int, default=7, help="alternating measurements of both (default 7)")
    parser.add_argument("--problems", type=int, default=2048, help="of the batched route (default 2048)")
    parser.add_argument("--loop", type=int, default=256, help="of these, for the loop (default 256)")


def check_one_by_one(problems: Sequence[Problem]) -> None:
    """Curvature, exact alignment, observed alignment and ||dS||, one problem at a time."""
    for problem in problems:
        ray = AlignmentRay.of(problem)
        ray.curvature()
        ray.alignment(problem.eps)
        dS = student_step(problem)
        vectors.inner(dS, problem.teacher_update)
        vectors.norm(dS)


def check_stacked(problems: Sequence[Problem]) -> None:
    """The same four numbers of every problem, stacking included."""
    theory.predict(problems)
    training.observe(problems)


def rate(check: Callable[[Sequence[Problem]], None], problems: Sequence[Problem]) -> float:
    """Return checks a second of this process's time; other processes still take its caches."""
    start = time.process_time()
    check(problems)
    return len(problems) / (time.process_time() - start)


def measure(loss: str, arguments: argparse.Namespace) -> dict[str, object]:
    """Alternate the two routes on given problems; drawing and validating them is not timed.

    The first pass over the problems, which also makes each one's ``flat`` vectors, is told apart.
    """
    spec = {**vars(MODEL), "trait": "cross_entropy", "loss": loss}
    problems = [ProblemSpec(**{**spec, "seed": seed}).build() for seed in range(arguments.problems)]
    some = problems[: arguments.loop]
    check_one_by_one(some[:32])
    check_stacked(problems[:32])
    first = rate(check_stacked, problems[32:]) if len(problems) > 32 else float("nan")
    loop, stacked, loads = [], [], []
    for _ in range(arguments.repeats):
        loads.append(os.getloadavg()[0])
        loop.append(rate(check_one_by_one, some))
        stacked.append(rate(check_stacked, problems))
    ratios = [fast / slow for fast, slow in zip(stacked, loop, strict=True)]
    return {
        "loss": loss,
        "loop_checks_per_second": spread(loop),
        "batched_checks_per_second": spread(stacked),
        "first_pass_checks_per_second": spread([first]),
        "ratio": spread(ratios),
        "ratio_of_bests": spread([max(stacked) / max(loop)]),
        "load_average": spread(loads),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, min and max."""
    named = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, 2) for name, value in named.items()}


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    rows = [measure(loss, arguments) for loss in ("squared_error", "kl")]
    if arguments.json:
        print(json.dumps({"benchmark": "checks", "repeats": arguments.repeats, "rows": rows}, indent=2))
        return
    print(f"{'loss':<15}{'measure':<28}{'median':>10}{'min':>10}{'max':>10}")
    for row in rows:
        for name, value in row.items():
            if isinstance(value, dict):
                print(f"{row['loss']!s:<15}{name:<28}" + "".join(f"{number:>10.2f}" for number in value.values()))
