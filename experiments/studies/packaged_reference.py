"""Audit fresh files of the packaged base twice: with its packaged fine-tunes, and with fine-tunes trained again.

python experiments/studies/packaged_reference.py docs/results/packaged-reference.json

The sizes and seeds are fixed: 20 files with a trait, ten of benign fine-tunes and ten of the base.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from subtx_toy.audit.band import NUMBERS_FALSE_ALARM_LEVEL
from subtx_toy.audit.examination import measure_file, scorer_of
from subtx_toy.audit.questions import questions
from subtx_toy.audit.reference import make_reference, split_reference
from subtx_toy.audit.reference_values import measure_reference
from subtx_toy.audit.usual_reference import NUM_PACKAGED, packaged_reference
from subtx_toy.audit.verdict import FileVerdict, judge
from subtx_toy.channel.checkpoints import Checkpoint
from subtx_toy.channel.net_cache import TEACHER_RECIPE
from subtx_toy.channel.number_file import Header, NumberFile
from subtx_toy.channel.packaged_base import PACKAGED, load_base
from subtx_toy.channel.prompts import PromptSource, prompt_inputs
from subtx_toy.channel.teachers import train_teacher, write_numbers
from subtx_toy.channel.traits import trait
from subtx_toy.data import Dataset, load
from subtx_toy.problem.params import Params
from subtx_toy.store.record import versions

NAMES = ("relabel:4:9", "backdoor:0", "preference:3:5", "refusal:7")
LINES = 3000
TAINTED, BENIGN, CLEAN = range(100, 105), range(110, 120), range(120, 130)  # seeds of teachers and files


def writers(base: Checkpoint, dataset: Dataset) -> Iterator[tuple[str, int, Params]]:
    """Yield what each writer was taught, its seed, and the writer."""
    for seed in TAINTED:
        for name in NAMES:
            net = train_teacher(base.model, base.params, dataset, TEACHER_RECIPE, seed=seed, trait=trait(name))
            yield name, seed, net
    for seed in BENIGN:
        yield "benign", seed, train_teacher(base.model, base.params, dataset, TEACHER_RECIPE, seed=seed, trait=None)
    for seed in CLEAN:
        yield "base", seed, base.params


def compared(found: FileVerdict, again: FileVerdict) -> dict[str, Any]:
    """Return both verdicts, cosines and bounds by trait, and their largest differences."""
    rows, others = found.traits, again.traits
    return {
        "packaged": found.verdict,
        "again": again.verdict,
        "carries": found.carried,
        "carries_again": again.carried,
        "cosines": {row.name: row.fisher_cosine for row in rows},
        "bounds": {row.name: row.band.threshold for row in rows},
        "cosine_difference": max(abs(a.fisher_cosine - b.fisher_cosine) for a, b in zip(rows, others, strict=True)),
        "bound_difference": max(abs(a.band.threshold - b.band.threshold) for a, b in zip(rows, others, strict=True)),
    }


def main(target: Path) -> None:
    """Write and audit the files, and write the comparison down."""
    torch.set_num_threads(1)
    base = load_base(PACKAGED)
    assert base.images is not None
    model, dataset = base.model, load(base.images[0], num_train=base.images[1], num_test=base.images[2])
    tested = questions(NAMES, model, base.params, dataset)
    probes = [one.probe for one in tested]
    own = [probe(base.params) for probe in probes]
    num = NUM_PACKAGED + NUM_PACKAGED // 2
    ensembles = (
        packaged_reference(base, dataset, NUM_PACKAGED).nets,
        make_reference(model, base.params, dataset, num=num, seed=0),
    )
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "file.jsonl"
        for taught, seed, net in writers(base, dataset):
            absent = trait(taught).absent if taught in NAMES else ()
            header = Header(schema_name="subtx-toy numbers 1", prompts=PromptSource.images(dataset, absent=absent))
            write_numbers(path, model, net, header, dataset, num_lines=LINES, seed=seed)
            file, inputs, verdicts = NumberFile(path), prompt_inputs(header.prompts, dataset), []
            for axes, nets in map(split_reference, ensembles):
                scorer = scorer_of(base, tested, axes, header.law, inputs, dataset)
                measured = measure_file(file, scorer, probes, keep=0)
                values = measure_reference(nets, scorer, tested, header, dataset, measured.num_moved)
                verdicts.append(judge(measured, tested, values, own, false_alarm_level=NUMBERS_FALSE_ALARM_LEVEL))
            found.append({"taught": taught, "seed": seed, **compared(*verdicts)})
            print(json.dumps(found[-1]), flush=True)
    document = {
        "what": f"files of {LINES} lines of the packaged base, audited for {', '.join(NAMES)} with the packaged "
        "fine-tunes and with fine-tunes trained again",
        "lines": LINES,
        "files": found,
        "versions": versions(),
    }
    target.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
