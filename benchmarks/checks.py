"""Theorem checks a second: problems stacked, against Python loops of torch.func and of the single route."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from benchmarks.func_check import FuncCheck
from subtx_toy.problem import params as vectors
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.theory import perceptron as theory
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.training import perceptron as training
from subtx_toy.training.gradient_step import student_step

SUMMARY = "checks a second on one thread: batched against two Python loops, 8-16-16-6 tanh, 32 inputs, float64"
MODEL = ProblemSpec(hidden=(16, 16), input_dim=8, num_classes=3, num_aux=3, num_inputs=32, num_trait_inputs=16)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=int, default=7, help="alternating measurements (default 7)")
    parser.add_argument("--problems", type=int, default=2048, help="of the batched route (default 2048)")
    parser.add_argument("--loop", type=int, default=256, help="of these, for the loops (default 256)")


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


def agree(func: FuncCheck, problems: Sequence[Problem]) -> None:
    """Refuse to time routes that do not find the same numbers."""
    predicted, observed = theory.predict(problems), training.observe(problems)
    stacked = [predicted.curvature, predicted.alignment, observed.alignment, observed.student_update_norm]
    tasks = [func.task(problem) for problem in problems]
    for usual in (func.loop(tasks), func.vmapped(tasks)):
        np.testing.assert_allclose(np.stack(stacked, axis=1), usual, rtol=1e-6)


def rate(check: Callable[[], object], num: int) -> float:
    """Return checks a second of this process's time; other processes still take its caches."""
    start = time.process_time()
    check()
    return num / (time.process_time() - start)


def measure(loss: str, arguments: argparse.Namespace) -> dict[str, object]:
    """Alternate the routes on given problems; drawing and validating them is not timed.

    The first pass over the problems, which also makes each one's ``flat`` vectors, is told apart.
    """
    spec = {**vars(MODEL), "trait": "cross_entropy", "loss": loss}
    problems = [ProblemSpec(**{**spec, "seed": seed}).build() for seed in range(arguments.problems)]
    some = problems[: arguments.loop]
    func = FuncCheck(problems[0])
    tasks = [func.task(problem) for problem in problems]
    agree(func, some[:32])
    check_one_by_one(some[:32])
    first = rate(lambda: check_stacked(problems[32:]), len(problems) - 32) if len(problems) > 32 else float("nan")
    loop, vmapped, single, stacked, loads = [], [], [], [], []
    for _ in range(arguments.repeats):
        loads.append(os.getloadavg()[0])
        loop.append(rate(lambda: func.loop(tasks[: len(some)]), len(some)))
        vmapped.append(rate(lambda: func.vmapped(tasks), len(tasks)))
        single.append(rate(lambda: check_one_by_one(some), len(some)))
        stacked.append(rate(lambda: check_stacked(problems), len(problems)))
    return {
        "loss": loss,
        "func_loop_checks_per_second": spread(loop),
        "vmap_checks_per_second": spread(vmapped),
        "single_route_checks_per_second": spread(single),
        "batched_checks_per_second": spread(stacked),
        "first_pass_checks_per_second": spread([first]),
        "ratio_to_func_loop": ratio(stacked, loop),
        "ratio_of_bests_to_func_loop": spread([max(stacked) / max(loop)]),
        "ratio_to_vmap": ratio(stacked, vmapped),
        "ratio_to_single_route": ratio(stacked, single),
        "load_average": spread(loads),
    }


def ratio(over: Sequence[float], under: Sequence[float]) -> dict[str, float]:
    """Return the spread of the ratios of numbers that were measured one after the other."""
    return spread([one / other for one, other in zip(over, under, strict=True)])


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
    print(f"{'loss':<15}{'measure':<34}{'median':>10}{'min':>10}{'max':>10}")
    for row in rows:
        for name, value in row.items():
            if isinstance(value, dict):
                print(f"{row['loss']!s:<15}{name:<34}" + "".join(f"{number:>10.2f}" for number in value.values()))
