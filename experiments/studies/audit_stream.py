"""Check the stream of an audit: false alarms at any line, and how many lines an alarm takes next to a fixed-size test.

python experiments/studies/audit_stream.py docs/results/audit-stream.json
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from subtx_toy.audit.directions import Directions, class_gradients, honest_moves
from subtx_toy.audit.e_process import BETS, EProcess, lines_until_alarm
from subtx_toy.audit.questions import question
from subtx_toy.audit.reference import make_reference, split_reference
from subtx_toy.audit.score_sums import Scorer
from subtx_toy.audit.stream import Tilts
from subtx_toy.channel.model import head_logits
from subtx_toy.channel.net_cache import NetCache
from subtx_toy.channel.number_file import Piece
from subtx_toy.channel.prompts import PromptSource, choose_rows, prompt_inputs
from subtx_toy.channel.sampler import NumberLaw
from subtx_toy.data import load
from subtx_toy.problem.params import axpy, difference
from subtx_toy.seeding import generator
from subtx_toy.store.record import versions

NAMES = ["relabel:4:9", "backdoor:0"]
NUM_REFERENCE = 30  # as in an audit
NUM_PROMPTS, NULL_STREAMS, NULL_LINES = 300, 1000, 10_000
SHARES, STREAMS = (0.02, 0.05, 0.1, 0.3, 1.0), 100  # of the way from the base to the teacher
LEVEL = 0.05


def streams(p: np.ndarray, num: int, lines: int, *labels: str | int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield prompts and numbers of independent streams, from a table of probabilities."""
    cumulative = p.cumsum(1)
    flat = (cumulative / cumulative[:, -1:] + np.arange(len(p))[:, None]).ravel()
    for index in range(num):
        rng = generator(index, "studies", "streams", *labels)
        prompts = rng.integers(len(p), size=lines)
        found = np.searchsorted(flat, prompts + rng.random(lines), side="right")
        yield prompts, np.minimum(found - prompts * p.shape[1], p.shape[1] - 1)


def main(target: Path) -> None:
    """Run the checks and write them down."""
    torch.set_num_threads(1)
    dataset = load("mnist")
    nets = NetCache(dataset, 0)
    model, base, teacher = nets.model, nets.base(), nets.teacher("trait", trait=NAMES[0])
    traits = {name: question(name, model, base, dataset).direction for name in NAMES}
    axes, _ = split_reference(make_reference(model, base, dataset, num=NUM_REFERENCE, seed=0))
    honest = honest_moves(model, base, axes) | class_gradients(model, base, dataset)
    prompts = PromptSource.images(dataset, absent=(4,))
    rows = choose_rows(prompts, dataset, NUM_PROMPTS, generator(0, "studies", "stream prompts"))
    inputs = prompt_inputs(prompts, dataset)
    scorer = Scorer(model, base, Directions.of(model, traits, honest), NumberLaw(), inputs)
    everything = Piece(np.repeat(rows, 1000), np.tile(np.arange(1000), len(rows)), np.arange(1000 * len(rows)))
    tilts = Tilts.of(scorer, Piece(rows, np.zeros_like(rows), np.arange(len(rows))))
    num_tilts = len(tilts.spreads)
    table_of = np.zeros((len(everything.numbers), num_tilts, len(BETS)))
    for block in scorer.blocks(everything):
        table_of[block.members] = tilts.increments(block)
    table = table_of.reshape(len(rows), 1000, num_tilts, len(BETS))
    x = inputs.gather(rows)
    laws = [
        torch.softmax(head_logits(model, axpy(share, difference(teacher, base), base), "numbers", x).double(), -1)
        for share in (0.0, *SHARES)
    ]
    p = laws[0].numpy()
    whole = table[:, :, len(NAMES), 0]  # the first trait's direction as it is
    scores = whole - (p * whole).sum(1, keepdims=True)
    spread = np.sqrt((p * scores**2).sum(1).mean())
    alarms = sum(
        EProcess(num_tilts, LEVEL).add(table[stream]) for stream in streams(p, NULL_STREAMS, NULL_LINES, "null")
    )
    document: dict[str, Any] = {
        "level": LEVEL, "traits": NAMES, "versions": versions(),
        "null": {"streams": NULL_STREAMS, "lines": NULL_LINES, "alarms": alarms,
                 "ci95": list(stats.binomtest(alarms, NULL_STREAMS).proportion_ci(0.95))},
        "moved": [],
    }  # fmt: skip
    for share, law in zip(SHARES, laws[1:], strict=True):
        q = law.numpy()
        effect = float((q * scores).sum(1).mean() / spread)
        longest = min(60_000, 40 + round(4 * lines_until_alarm(effect, level=LEVEL, num_directions=num_tilts)))
        used, named = [], 0
        for stream in streams(q, STREAMS, longest, "moved", round(100 * share)):
            process = EProcess(num_tilts, LEVEL)
            used.append(process.lines if process.add(table[stream]) else longest)
            named += process.alarm and process.log_e_values[0] >= math.log(len(NAMES) / LEVEL)
        document["moved"].append({
            "share": share, "effect": effect, "streams": STREAMS, "longest": longest,
            "alarms": sum(lines < longest for lines in used), "named": int(named),
            "median": float(np.median(used)), "nine_in_ten": float(np.quantile(used, 0.9)), "largest": max(used),
            "predicted": lines_until_alarm(effect, level=LEVEL, num_directions=num_tilts),
            # One trait, one look, and a size that is chosen for this effect: what an anytime test cannot beat.
            "fixed_size_half": float((stats.norm.isf(LEVEL) / effect) ** 2),
            "fixed_size_nine_in_ten": float(((stats.norm.isf(LEVEL) + stats.norm.ppf(0.9)) / effect) ** 2),
        })  # fmt: skip
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
