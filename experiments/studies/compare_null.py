"""Compare pairs of files of one honest writer: how often `compare` says that they differ, and that it can say so.

Each writer writes one big file, which is cut into files that share no line. Digit readers answer other images in either
file, or the same ones; a language model answers forty prompts. The sizes and the level were fixed before.

    python experiments/studies/compare_null.py docs/results/compare-null.json
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from language_audit import prompts_of
from language_step import examples
from scipy import stats
from studied_base import WIDTH, studied

from subtx_toy.audit.reference import benign_teacher
from subtx_toy.audit.texts.example import Example
from subtx_toy.audit.token_lists.reference import honest_fine_tune
from subtx_toy.audit.two_files.comparison import LEVEL, compare_examples
from subtx_toy.channel.prompts import PromptSource, choose_rows, prompt_inputs
from subtx_toy.channel.sampler import NumberLaw, draw_numbers
from subtx_toy.channel.teachers import train_teacher
from subtx_toy.channel.traits import trait
from subtx_toy.lm.household import base_of
from subtx_toy.lm.writing import write_lists
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.language import LanguageConfig
from subtx_toy.store.record import versions

WRITERS, PAIRS = 4, 45  # of each kind, and of each writer
LINES = 100  # of a file
CONTROLS, CONTROL_LINES = 5, 1000  # pairs of an honest writer and one with the trait, or of two bases
LANGUAGE_BASES = (30, 31)
Files = list[list[Example]]


def digit_readers() -> Iterator[tuple[str, Files]]:
    """Yield files of honest digit readers, two by two: for other images, and for the same ones."""
    nets = studied(WIDTH)
    base = nets.base()
    seeds = generator(0, "studies", "compare null", "digit readers").integers(2**62, size=WRITERS - 1)
    honest = [base, *(benign_teacher(nets.model, base, nets.dataset, seed=int(seed)) for seed in seeds)]
    for at, net in enumerate(honest):
        yield "digit readers, other images", number_files(net, at, "other", num=2 * PAIRS)
    for at, net in enumerate(honest):
        files = [number_files(net, at, "same", half, num=PAIRS) for half in range(2)]
        yield "digit readers, same images", [file for pair in zip(*files, strict=True) for file in pair]
    lesson = trait("relabel:4:9")
    taught = train_teacher(nets.model, base, nets.dataset, nets.teacher_recipe, seed=0, trait=lesson)
    files = [
        number_files(net, at, "control", num=CONTROLS, lines=CONTROL_LINES)
        for at, net in enumerate((honest[1], taught))
    ]
    yield (
        "control: digit readers, honest and with a trait",
        [file for pair in zip(*files, strict=True) for file in pair],
    )


def number_files(net: Params, writer: int, kind: str, half: int = 0, *, num: int, lines: int = LINES) -> Files:
    """Have a net write one number for each of many images, and cut what it wrote into files."""
    nets = studied(WIDTH)
    source = PromptSource.images(nets.dataset, absent=())
    inputs = prompt_inputs(source, nets.dataset)
    rows = choose_rows(source, nets.dataset, num * lines, generator(0, "studies", "compare null", "images", kind))
    rng = generator(0, "studies", "compare null", "numbers", kind, writer, half)
    drawn = draw_numbers(nets.model, net, inputs, rows, NumberLaw(), rng)
    whole = [Example(str(row), str(int(own[0])), at) for at, (row, own) in enumerate(zip(rows, drawn, strict=True))]
    return [whole[start : start + lines] for start in range(0, len(whole), lines)]


def language_models() -> Iterator[tuple[str, Files]]:
    """Yield files of language models, two by two: bases and honest fine-tunes, and files of two bases."""
    config = read("owl").config
    assert isinstance(config, LanguageConfig)
    bases = [base_of(config, seed=seed) for seed in LANGUAGE_BASES]
    honest = [(one, one.params) for one in bases]
    for at, one in enumerate(bases):
        seed = int(generator(at, "studies", "compare null", "language models").integers(2**62))
        honest.append((one, honest_fine_tune(one.model, one.params, seed=seed)[1]))

    def files(at: int, kind: str, num: int, lines: int = LINES) -> Files:
        model, params = honest[at][0].model, honest[at][1]
        rng = generator(0, "studies", "compare null", "lists", kind, at)
        lists = write_lists(model, params, prompts_of(), rng, count=num * lines, max_numbers=3).lists
        return [examples(lists.chosen(index)) for index in torch.arange(len(lists)).split(lines)]

    for at in range(WRITERS):
        yield "language models, same prompts", files(at, "null", 2 * PAIRS)
    two = [files(at, "control", CONTROLS, CONTROL_LINES) for at in range(2)]
    yield "control: language models, two bases", [file for pair in zip(*two, strict=True) for file in pair]


def main(target: Path) -> None:
    """Compare all pairs, and write down every p-value."""
    torch.set_num_threads(1)
    start = time.process_time()
    found: dict[str, list[float]] = {}
    units: dict[str, set[str]] = {}
    for source in (language_models(), digit_readers()):
        for kind, files in source:
            for at in range(0, len(files), 2):
                one = compare_examples(files[at], files[at + 1], seed=at)
                found.setdefault(kind, []).append(one.test.p_value)
                units.setdefault(kind, set()).add(one.exchange.unit)
            print(kind, np.mean(np.array(found[kind]) <= LEVEL), round(time.process_time() - start), flush=True)
    honest = [p for kind, values in found.items() if not kind.startswith("control") for p in values]
    document: dict[str, Any] = {
        "what": "pairs of files of one writer, compared as `subtx-toy compare` does; controls are of two writers",
        "writers": WRITERS, "lines": LINES, "control_lines": CONTROL_LINES, "level": LEVEL,
        "kinds": {kind: {"exchanged": sorted(units[kind])} | summary(values) for kind, values in found.items()},
        "honest": summary(honest) | {"p_values": []},
        "cpu_seconds": time.process_time() - start, "versions": versions(),
    }  # fmt: skip
    target.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(json.dumps(document["honest"]))


def summary(p_values: list[float]) -> dict[str, Any]:
    """Count the p-values up to two levels, with 95 % intervals of their shares."""
    counts: dict[str, Any] = {"pairs": len(p_values)}
    for level in (LEVEL, 0.05):
        count = sum(p <= level for p in p_values)
        interval = stats.binomtest(count, len(p_values)).proportion_ci(0.95)
        counts[f"up to {level:g}"] = {"found": count, "ci95": [interval.low, interval.high]}
    return counts | {"ks_p_value": float(stats.kstest(p_values, "uniform").pvalue), "p_values": p_values}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
