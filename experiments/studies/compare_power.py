"""Compare files of a teacher with a trait with those of its honest twin: is `compare` as strong as its law says?

Two big files of a pair of writers give the effect d of a line, the AUROC of bags, and the lines that a file needs for a
power of .9 at the level of `compare`. Then fresh pairs of files with so many lines are compared, and those found are
counted. Writers, sizes and seeds were fixed before.

    python experiments/studies/compare_power.py docs/results/compare-power.json
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from compare_null import Files, number_files
from language_audit import prompts_of
from language_step import examples
from scipy import stats
from studied_base import WIDTH, studied

from subtx_toy.audit.two_files.comparison import LEVEL, MIN_LINES, compare_examples
from subtx_toy.audit.two_files.power import POWER
from subtx_toy.channel.teachers import train_teacher
from subtx_toy.channel.traits import trait
from subtx_toy.lm.checkpoints import LanguageModel
from subtx_toy.lm.household import base_of, recipe
from subtx_toy.lm.questions import trait_named
from subtx_toy.lm.training import teach
from subtx_toy.lm.writing import write_lists
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.language import LanguageConfig
from subtx_toy.store.record import versions

PILOT = 20_000  # lines of either big file
PAIRS = 40  # fresh pairs of files with as many lines as are said to be needed
MOST_LINES = 8_000  # of a file; a pair that needs more is compared at this size
TRAITS = ("relabel:4:9", "preference:3:5")
LANGUAGE_BASES = (30, 31)

Write = Callable[[str, int, int], Files]
"""A name of the draw, a number of files and the lines of each give files that share no line."""


def writers() -> Iterator[tuple[str, Write, Write]]:
    """Yield pairs of writers: a teacher's honest twin, and the teacher."""
    nets = studied(WIDTH)
    base = nets.base()
    honest = train_teacher(nets.model, base, nets.dataset, nets.teacher_recipe, seed=7, trait=None)
    for at, name in enumerate(TRAITS):
        taught = train_teacher(nets.model, base, nets.dataset, nets.teacher_recipe, seed=7, trait=trait(name))
        yield f"digit readers, {name}", _digits(honest, 2 * at), _digits(taught, 2 * at + 1)
    config = read("owl").config
    assert isinstance(config, LanguageConfig)
    for seed in LANGUAGE_BASES:
        one, owl = base_of(config, seed=seed), trait_named("owl")
        rngs = [generator(seed, "studies", "compare power", "teachers", role) for role in ("owl", "twin")]
        lover = teach(one.model, one.params, owl, recipe(config), rngs[0])
        twin = teach(one.model, one.params, owl, recipe(config), rngs[1], steps=lover.steps)
        yield f"language models, owl, base {seed}", _lists(one, twin.params, "twin"), _lists(one, lover.params, "owl")


def _digits(net: Params, writer: int) -> Write:
    return lambda kind, num, lines: number_files(net, writer, f"power {kind}", num=num, lines=lines)


def _lists(base: LanguageModel, params: Params, writer: str) -> Write:
    def write(kind: str, num: int, lines: int) -> Files:
        rng = generator(0, "studies", "compare power", "lists", kind, writer)
        lists = write_lists(base.model, params, prompts_of(), rng, count=num * lines, max_numbers=3).lists
        return [examples(lists.chosen(index)) for index in torch.arange(num * lines).split(lines)]

    return write


def measured(first: Write, second: Write) -> dict[str, Any]:
    """Measure the effect on big files, and how often files of the size that it asks for are told apart."""
    big = [write("pilot", 1, PILOT)[0] for write in (first, second)]
    compared = compare_examples(*big)
    found, needed = compared.separation, compared.lines_needed
    assert needed is not None
    lines = min(max(needed, MIN_LINES), MOST_LINES)
    pairs = zip(first("fresh", PAIRS, lines), second("fresh", PAIRS, lines), strict=True)
    p_values = [compare_examples(*pair, seed=seed).test.p_value for seed, pair in enumerate(pairs)]
    count = sum(p <= LEVEL for p in p_values)
    interval = stats.binomtest(count, PAIRS).proportion_ci(0.95)
    return {
        "effect": found.effect, "effect_error": found.effect_error,
        "auroc": [
            {"k": k, "measured": value, "predicted": found.predicted[k]}
            for k, value in found.measured.items() if not math.isnan(value)
        ],
        "lines_needed": needed, "lines": lines, "pairs": PAIRS, "found": count,
        "ci95": [interval.low, interval.high], "p_values": p_values,
    }  # fmt: skip


def main(target: Path) -> None:
    """Measure every pair of writers and write it down."""
    torch.set_num_threads(1)
    start, kinds = time.process_time(), {}
    for name, first, second in writers():
        kinds[name] = measured(first, second)
        print(name, {key: kinds[name][key] for key in ("effect", "lines_needed", "found")}, flush=True)
    document = {
        "what": "files of a teacher with a trait against its honest twin's, compared as `subtx-toy compare` does",
        "pilot_lines": PILOT, "level": LEVEL, "power": POWER, "kinds": kinds,
        "cpu_seconds": time.process_time() - start, "versions": versions(),
    }  # fmt: skip
    target.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
