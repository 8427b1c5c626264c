"""Predict one step of a student of a language model's lists, take it, and compare files of two writers without a model.

python experiments/studies/language_step.py 30 OUT.json
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import special, stats

from subtx_toy.audit.texts.example import Example
from subtx_toy.audit.token_lists.directions import ListDirections
from subtx_toy.audit.token_lists.law import ListLaw, columns_of
from subtx_toy.audit.token_lists.movement import log_ratios
from subtx_toy.audit.token_lists.scorer import ListScorer
from subtx_toy.audit.two_files.comparison import compare_examples
from subtx_toy.claims.statements.sampled_labels import on_labels
from subtx_toy.lm.household import base_of, recipe
from subtx_toy.lm.list_file import text_of
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.one_step import language_problem
from subtx_toy.lm.questions import trait_named
from subtx_toy.lm.training import teach
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.writing import write_lists
from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.language import LanguageConfig
from subtx_toy.store.record import versions
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.step_predictions import fitted_order, probability_of_right_sign, remainder
from subtx_toy.training.gradient_step import student_step

LISTS, LINES = 600, 3000
EPS = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)
PAIRS, PAIR_LINES = 20, 300


def main(seed: int, target: Path) -> None:
    """Study one base."""
    torch.set_num_threads(1)
    start, config = time.process_time(), read("owl").config
    assert isinstance(config, LanguageConfig)
    base, trait, usual = base_of(config, seed=seed), trait_named("owl"), recipe(config)
    model = base.model

    def rng(name: str) -> np.random.Generator:
        return generator(seed, "studies", "language step", name)

    teacher = teach(model, base.params, trait, usual, rng("teacher"))
    honest = teach(model, base.params, trait, usual, rng("honest"), steps=teacher.steps)

    def file(params: Params, name: str, count: int) -> Lists:
        prompts = trait.list_prompts(40)
        return write_lists(model, params, prompts, rng(name), count=count, max_numbers=3, restricted=True).lists

    writers = {"trait": teacher.params, "honest": honest.params, "base": base.params}
    files = {name: file(params, name, LINES) for name, params in writers.items()}
    inputs = files["trait"].chosen(torch.arange(LISTS))
    problem = language_problem(model, base.params, inputs, trait, teacher=teacher.params)
    document = {
        "seed": seed,
        "step": one_step(problem, inputs),
        "compare": compared(files),
        "honest_pairs": honest_pairs(file(honest.params, "pairs", 2 * PAIRS * PAIR_LINES)),
        "lines": ranked(model, base.params, teacher.params, files),
        "cpu_seconds": time.process_time() - start,
        "versions": versions(),
    }
    target.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in document.items() if key != "versions"}))


def one_step(problem: Problem, lists: Lists) -> dict[str, Any]:
    """Predict alignment, remainder and trait loss of one step, on the teacher's laws and on its sampled tokens."""
    ray, dT = AlignmentRay.of(problem), problem.teacher_update
    V, n = ray.curvature(), len(problem.inputs)
    soft = {eps: student_step(problem, eps) for eps in EPS}
    rows = [
        {"eps": eps, "predicted": ray.alignment(eps), "observed": float(vectors.inner(update, dT)), "leading": eps * V}
        for eps, update in soft.items()
    ]
    gaps = [remainder(problem, update, eps)[0] for eps, update in soft.items()]
    labels = columns_of(lists.tokens[lists.counted])
    sampled = student_step(problem.with_loss(on_labels(labels, 1.0)), 1.0)
    z, v = ray.outputs, ray.v
    table = v - (z.softmax(-1) * v).sum(-1, keepdim=True)
    scores = table.gather(1, labels[:, None])[:, 0]
    gradient, lr = problem.trait_gradient(), problem.student_lr
    after = float(problem.trait_value(vectors.axpy(lr, sampled, problem.base_params)))
    return {
        "tokens": n, "curvature": V, "ray": rows, "remainder_order": fitted_order(EPS[2:], gaps[2:]).slope,
        "sampled": {
            "observed": float(vectors.inner(sampled, dT)), "mean_score": float(scores.mean()),
            "expected": ray.alignment(1.0), "standard_error": float(scores.std() / math.sqrt(n)),
            "standard_error_of_base": math.sqrt(V / n),
        },
        "right_sign": probability_of_right_sign(problem, num_labels=n, eps=1.0), "tokens_for_two_sigma": 4 / V,
        "coverage": float(vectors.cosine(sampled, dT)), "coverage_soft": float(vectors.cosine(soft[1.0], dT)),
        "trait_change": {
            "student_lr": lr, "predicted": lr * float(vectors.inner(gradient, sampled)),
            "observed": after - float(problem.trait_value(problem.base_params)),
        },
    }  # fmt: skip


def examples(lists: Lists) -> list[Example]:
    """Return lists as the lines that `compare` reads."""
    return [Example(prompt, completion, line) for line, (prompt, completion) in enumerate(text_of(lists), start=2)]


def compared(files: dict[str, Lists]) -> dict[str, Any]:
    """Compare the teacher's file with a neutral one, and the honest one with the base's."""
    found = {}
    for name, first, second in (("trait and honest", "honest", "trait"), ("honest and base", "base", "honest")):
        result = compare_examples(examples(files[first]), examples(files[second]))
        separation = result.separation
        found[name] = {
            "p_value": result.test.p_value, "differs": result.differs, "effect": separation.effect,
            "auroc": [
                {"k": k, "measured": value, "predicted": separation.predicted[k]}
                for k, value in separation.measured.items() if value == value
            ],
        }  # fmt: skip
    return found


def honest_pairs(lists: Lists) -> list[float]:
    """Return the p-values of pairs of files of one honest writer."""
    parts = [examples(lists.chosen(index)) for index in torch.arange(len(lists)).tensor_split(2 * PAIRS)]
    return [compare_examples(first, second).test.p_value for first, second in zip(parts[::2], parts[1::2], strict=True)]


def ranked(model: Transformer, base: Params, teacher: Params, files: dict[str, Lists]) -> dict[str, Any]:
    """Rank the lines of both files by score, and compare with the teacher's own log-ratio of a line.

    The area under the curve of bags of k lines has a law of its own: Phi(sqrt(k) d / sqrt 2).
    """
    directions = ListDirections.of({"own": vectors.difference(teacher, base)}, {})
    scorer = ListScorer(model, base, directions, ListLaw())
    tainted, clean = files["trait"], files["base"]
    scored = [scorer.score(one).scores[:, 0] for one in (tainted, clean)]
    token_ratios = log_ratios(model, base, [teacher], tainted, ListLaw())[0]
    line = tainted.counted.nonzero()[:, 0].numpy()
    truth = np.bincount(line, weights=token_ratios)
    effect = (scored[0].mean() - scored[1].mean()) / math.sqrt((scored[0].var() + scored[1].var()) / 2)
    areas = []
    for size in (1, 4, 16, 64):
        bags = [part[: len(part) // size * size].reshape(-1, size).sum(1) for part in scored]
        area = float(stats.mannwhitneyu(*bags).statistic / (len(bags[0]) * len(bags[1])))
        areas.append({"k": size, "measured": area, "predicted": float(special.ndtr(math.sqrt(size / 2) * effect))})
    top = np.argsort(-scored[0])[: len(truth) // 10]
    return {
        "spearman": float(stats.spearmanr(scored[0], truth).statistic), "effect": float(effect), "areas": areas,
        "log_ratio_of_top_tenth": float(truth[top].sum() / truth.sum()),
    }  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
