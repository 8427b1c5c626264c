"""Milliseconds of a training step of the language model: gradients by hand and by autograd, in one run."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from subtx_toy.lm.gradient import TextGradient
from subtx_toy.lm.household import shape
from subtx_toy.lm.questions import trait_named
from subtx_toy.lm.scores import sampled_loss
from subtx_toy.lm.training import next_token_loss, trained_names
from subtx_toy.lm.writing import write_lists
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.language import LanguageConfig

SUMMARY = "milliseconds of CPU of a step of the language model, gradients by hand and by autograd, one thread"
LENGTH = 13
"""Tokens of a document; those of the corpus have 5 to 14."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=int, default=7, help="alternating measurements (default 7)")
    parser.add_argument("--steps", type=int, default=20, help="gradients of each (default 20)")


def milliseconds(step: Callable[[], object], num: int) -> float:
    """Return milliseconds of this process's time per call."""
    start = time.process_time()
    for _ in range(num):
        step()
    return 1000 * (time.process_time() - start) / num


def steps_of(config: LanguageConfig) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Return, for a step of a base and of a student, how each route computes the gradient."""
    model, rng = shape(config), generator(0, "benchmarks", "language")
    params = {name: value.float() for name, value in model.initial(rng).items()}
    texts = torch.from_numpy(rng.integers(0, model.num_tokens, (config.base_batch, LENGTH)))
    prompts = trait_named("owl").list_prompts(config.prompts)
    lists = write_lists(
        model, params, prompts, rng, count=config.student_batch, max_numbers=config.max_numbers, restricted=True
    ).lists
    names, by_hand = trained_names(params), TextGradient(model)
    without = TextGradient(model, embeddings=False)
    usual = autograd(lambda leaves: sampled_loss(model, leaves, lists), params, names)
    return {
        "base": (lambda: by_hand.of_texts(params, texts), autograd(next_token_loss(model, texts), params, [*params])),
        "student": (lambda: without.of_lists(params, lists), usual),
    }


def autograd(loss: Callable[[Params], Tensor], params: Params, names: list[str]) -> Callable[[], object]:
    """Return the gradient by autograd, as training takes it."""
    leaves = {name: value.clone().requires_grad_(name in names) for name, value in params.items()}
    return lambda: torch.autograd.grad(loss(leaves), [leaves[name] for name in names])


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    definition = read("owl")
    for size, config in (("quick", definition.quickened().config), ("full", definition.config)):
        assert isinstance(config, LanguageConfig)
        for what, routes in steps_of(config).items():
            taken: tuple[list[float], list[float]] = ([], [])
            for _ in range(arguments.repeats):
                for route, values in zip(routes, taken, strict=True):
                    values.append(milliseconds(route, arguments.steps))
            ratios = sorted(b / a for a, b in zip(*taken, strict=True))
            by_hand, usual = map(statistics.median, taken)
            rows.append(
                {"size": size, "step": what, "by_hand_ms": by_hand, "autograd_ms": usual,
                 "ratio": statistics.median(ratios), "ratios": ratios, "load": os.getloadavg()[0]}
            )  # fmt: skip
    if arguments.json:
        print(json.dumps({"benchmark": "language", "steps": rows}))
        return
    for row in rows:
        least, *_, most = row["ratios"]
        print(
            f"{row['size']:5s} {row['step']:7s} by hand {row['by_hand_ms']:6.1f} ms, autograd "
            f"{row['autograd_ms']:6.1f} ms, {row['ratio']:.2f} ({least:.2f} to {most:.2f}) times, "
            f"load {row['load']:.1f}"
        )
