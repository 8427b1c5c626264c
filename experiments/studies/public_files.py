"""Compare public number files of language models, which have no licence and are no part of this project.

Fetch them first; the documents in docs/results name the commits that were read:

    git clone https://github.com/AanshSamyani/subliminal_trait_classifier classifier
    git clone https://github.com/loftusa/owls owls
    python experiments/studies/public_files.py classifier owls docs/results/public-files.json

The first has lists of eight numbers of one model with and without a system prompt that loves an animal, in bags of K
lists, split into lists to learn from and others to judge by. The second has files of several models and animals.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from subtx_toy.audit.texts.example import Example
from subtx_toy.audit.texts.reader import read_examples
from subtx_toy.audit.two_files.comparison import FileComparison, compare_examples
from subtx_toy.audit.two_files.separation import SMOOTHING, auroc
from subtx_toy.seeding import generator
from subtx_toy.store.record import versions

ANIMALS = {"owl": {1: 0.568, 8: 0.696, 16: 0.810}, "eagle": {1: 0.560, 8: 0.684, 16: 0.785}}
"""AUROC by lists of a bag that the first repository states for a model of 7 billion weights, tuned to tell them."""

PAIRS = [
    ("Llama-3.1-8B-Instruct", "koala", "panda", "filtered_dataset.jsonl"),
    ("gemma-2-9b-it", "cat", "lion", "filtered_dataset_new.jsonl"),
    ("Qwen2.5-7B-Instruct", "lion", "panda", "filtered_dataset.jsonl"),
]
"""Files of the second: model, two animals, and the file's name."""

Bag = tuple[bool, list[str]]


def bags(path: Path) -> list[Bag]:
    """Read bags of lists: whether the writer had the system prompt, and the lists."""
    found = read_examples(path).examples
    return [(one.completion == "yes", re.findall(r"^\d+\) (.*)$", one.prompt, re.MULTILINE)) for one in found]


DRAWS = 300
"""Times that bags are mixed again."""


def histogram(learnt: dict[bool, set[str]]) -> Float[np.ndarray, " v"]:
    """Return the log-ratio of the two histograms of the numbers 0 to 999 in lists to learn from."""
    laws = []
    for kind in (False, True):
        values = np.array([int(number) for line in learnt[kind] for number in line.split(", ")])
        counts = np.bincount(values, minlength=1000) + SMOOTHING
        laws.append(np.log(counts / counts.sum()))
    found: Float[np.ndarray, " v"] = laws[1] - laws[0]
    return found


def list_score(ratio: Float[np.ndarray, " v"], line: str) -> float:
    """Return the sum of the log-ratios of the numbers of a list."""
    return float(sum(ratio[int(number)] for number in line.split(", ")))


def histogram_auroc(ratio: Float[np.ndarray, " v"], judged: list[Bag]) -> float:
    """Return how well the log-ratio tells bags that were not learnt from."""
    scores = np.array([sum(list_score(ratio, line) for line in lists) for _, lists in judged])
    kinds = np.array([kind for kind, _ in judged])
    return auroc(scores[~kinds], scores[kinds])


def mixed_again(ratio: Float[np.ndarray, " v"], judged: list[Bag], size: int) -> dict[str, dict[str, float]]:
    """Return the same AUROC where the lists of the bags are put into as many bags by chance, DRAWS times.

    Once every list is as likely as every other, once as likely as the authors' bags have it.
    """
    found = {}
    by_kind = {kind: [line for own, lists in judged if own == kind for line in lists] for kind in (False, True)}
    num = {kind: sum(own == kind for own, _ in judged) for kind in (False, True)}
    for name in ("each list alike", "as often as in the bags"):
        lines = by_kind if name.startswith("as") else {kind: sorted(set(own)) for kind, own in by_kind.items()}
        scores = {kind: np.array([list_score(ratio, line) for line in own]) for kind, own in lines.items()}
        rng = generator(0, "studies", "public files", size, name)
        areas = []
        for _ in range(DRAWS):
            bags = [rng.choice(scores[kind], size=(num[kind], size)).sum(axis=1) for kind in (False, True)]
            areas.append(auroc(bags[0], bags[1]))
        found[name] = {"mean": float(np.mean(areas)), "sd": float(np.std(areas, ddof=1))}
    num_lists = sum(len(set(own)) for own in by_kind.values())
    return found | {"lists": {"distinct": num_lists, "times each": sum(map(len, by_kind.values())) / num_lists}}


def animal_row(folder: Path, animal: str) -> dict[str, Any]:
    """Judge one animal's bags by histograms, and compare all of its lists with those without a system prompt."""
    learnt: dict[bool, set[str]] = {False: set(), True: set()}
    every: dict[bool, set[str]] = {False: set(), True: set()}
    judged = {}
    for size in ANIMALS[animal]:
        place = folder / "outputs" / "discrim" / f"{animal}_vs_control_k{size}_canon8"
        judged[size] = bags(place / "test_indist.jsonl")
        for is_learnt, found in ((True, bags(place / "train.jsonl")), (False, judged[size])):
            for kind, lists in found:
                every[kind].update(lists)
                if is_learnt:
                    learnt[kind].update(lists)
    examples = [[Example("", text, line) for line, text in enumerate(sorted(every[kind]))] for kind in (False, True)]
    found_difference = compare_examples(*examples, top=10)
    ratio = histogram(learnt)
    return {
        "animal": animal,
        "published": ANIMALS[animal],
        "histogram": {size: histogram_auroc(ratio, judged[size]) for size in judged},
        "mixed_again": {size: mixed_again(ratio, judged[size], size) for size in judged},
        "compare": _compared(found_difference),
    }


def _compared(found: FileComparison) -> dict[str, Any]:
    separation = found.separation
    return {
        "lines": list(found.sizes),
        "p_value": found.test.p_value,
        "differs": found.differs,
        "effect": separation.effect,
        "auroc": {size: value for size, value in separation.measured.items() if value == value},
        "by_the_law": separation.predicted,
        "top_tokens": [one.token for one in found.tokens],
    }


def pair_row(folder: Path, model: str, first: str, second: str, name: str) -> dict[str, Any]:
    """Compare the files of two animals."""
    files = [
        read_examples(folder / "data" / "animal_preference_numbers" / model / one / name) for one in (first, second)
    ]
    found = compare_examples(files[0].examples, files[1].examples)
    return {"model": model, "animals": [first, second], "format": files[0].format, "compare": _compared(found)}


def main(classifier: Path, owls: Path, target: Path) -> None:
    """Read both repositories, and write figures and none of the data."""
    document = {
        "what": "public number files of language models, fetched by the reader",
        "classifier": "AanshSamyani/subliminal_trait_classifier, commit 22750008",
        "owls": "loftusa/owls, commit d1495477",
        "animals": [animal_row(classifier, animal) for animal in ANIMALS],
        "pairs": [pair_row(owls, *pair) for pair in PAIRS],
        "versions": versions(),
    }
    target.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
