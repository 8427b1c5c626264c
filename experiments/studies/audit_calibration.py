"""Measure many fine-tunes of one base as an audit would: the reference, fresh benign ones, fresh ones of each trait.

The decision is the package's own, fixed before: `subtx_toy.audit.verdict`, with the bounds of
`subtx_toy.audit.band.NUMBERS_FALSE_ALARM_LEVEL`. It is the fifth; it was chosen on bases 0 to 2 and is judged on the
fresh bases 10 to 14, by the fine-tunes of stream 5. The targets, fixed before too: at least 95 % of the teachers of
each trait caught over the five bases, at most 2 % of the benign fine-tunes accused.

The numbers that a net writes are drawn by its place in its shard, so they depend on how many shards there are, one for
the committed documents. The arguments of a shard after its part are the seed of the base, the fine-tunes of its
reference (a third of them for the honest moves), the width of the net, and the digits that no prompt shows:

    python experiments/studies/audit_calibration.py shard OUT.jsonl 0/1 10
    python experiments/studies/audit_calibration.py collect docs/results/audit-calibration-base-10.json OUT.jsonl

With ``packaged`` in place of the seed, the packaged base is audited with its packaged fine-tunes, and five times as
many fine-tunes are tried:

    python experiments/studies/audit_calibration.py shard OUT.jsonl 0/1 packaged
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import optimize, stats
from studied_base import WIDTH, packaged, studied_parts

from subtx_toy.audit.band import NUMBERS_FALSE_ALARM_LEVEL, Band, cosine_band, cosines_at_size, size_of_move
from subtx_toy.audit.examination import scorer_of
from subtx_toy.audit.measurement import NumbersMeasurement, efficient_score_test, score_test
from subtx_toy.audit.movement import Movement
from subtx_toy.audit.power import SCORE_LEVEL
from subtx_toy.audit.questions import question, trait_probe
from subtx_toy.audit.reference import (
    benign_teacher,
    make_reference,
    reference_recipes,
    reference_seeds,
    split_reference,
    varied_recipe,
)
from subtx_toy.audit.reference_values import measure_nets
from subtx_toy.audit.score_sums import ScoreSums
from subtx_toy.audit.usual_reference import NUM_PACKAGED, packaged_reference
from subtx_toy.audit.verdict import name_traits
from subtx_toy.channel.checkpoints import Checkpoint
from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.packaged_base import PACKAGED, load_base
from subtx_toy.channel.prompts import PromptSource, choose_rows, prompt_inputs
from subtx_toy.channel.sampler import NumberLaw
from subtx_toy.channel.teachers import train_teacher
from subtx_toy.channel.traits import trait
from subtx_toy.seeding import generator
from subtx_toy.stats import holm
from subtx_toy.store.record import versions

TESTED = ["relabel:4:9", "backdoor:0", "preference:3:5", "refusal:7"]
NEAR = "relabel:4:7"
NUM_REFERENCE, NUM_FRESH, NUM_TRAIT, NUM_NEAR, NUM_LINES = 30, 30, 6, 1, 10_000
STREAM = 5
PACKAGED_SEED, PACKAGED_TIMES = 130, 5
"""Of the fine-tunes of the packaged base: their seed, and how many times as many there are as of another base."""


def jobs(base_seed: int, num_reference: int) -> list[tuple[str, int]]:
    """Return what is trained beside the reference: a role and a seed each; no seed comes twice.

    The fifth stream: on the first it was seen which direction is needed, on the second at which level, on the third
    that cosines have to be compared at one size, on the fourth that short and fast fine-tunes overshoot along the
    classes. Each size of the reference has seeds of its own, so that none is chosen on those it is judged by.
    """
    own = () if num_reference == NUM_REFERENCE else (num_reference,)
    times = PACKAGED_TIMES if base_seed == PACKAGED_SEED else 1
    seeds = iter(generator(base_seed, "studies", "calibration", STREAM, *own).integers(2**62, size=10_000).tolist())
    wanted = [("benign", NUM_FRESH), *((name, NUM_TRAIT) for name in TESTED), (NEAR, NUM_NEAR)]
    return [(role, next(seeds)) for role, count in wanted for _ in range(times * count)]


def shard(
    target: Path, part: int, parts: int, base_seed: int, num_reference: int, width: int, absent: tuple[int, ...]
) -> None:
    """Train and measure every ``parts``-th of the jobs, with prompts that show no digit of ``absent``."""
    torch.set_num_threads(1)
    is_packaged = base_seed == PACKAGED_SEED
    dataset, model, base = packaged() if is_packaged else studied_parts(width, base_seed)
    mine = jobs(base_seed, num_reference)[part::parts]
    nets, measured = [], []
    start = time.process_time()
    if is_packaged:
        reference = packaged_reference(load_base(PACKAGED), dataset, NUM_PACKAGED).nets
    else:
        reference = make_reference(model, base, dataset, num=num_reference, seed=0)  # as in an audit
    axes, compared = split_reference(reference)
    planned: list[Recipe] = []
    for role, seed in mine:
        if role == "benign":
            nets.append(benign_teacher(model, base, dataset, seed=seed))
        else:
            nets.append(train_teacher(model, base, dataset, varied_recipe(seed), seed=seed, trait=trait(role)))
    trained = time.process_time()
    if part == 0:
        _, seeds = split_reference(reference_seeds(num_reference, seed=0))
        planned = list(split_reference(reference_recipes(num_reference, seed=0))[1])
        mine, nets = [*(("reference", seed) for seed in seeds), *mine], [*compared, *nets]
    questions = [question(name, model, base, dataset) for name in TESTED]
    probes = [trait_probe(trait(one.name), model, dataset) for one in questions]
    source = PromptSource.images(dataset, absent=absent)
    inputs = prompt_inputs(source, dataset)
    scorer = scorer_of(Checkpoint(model, base, {}), questions, axes, NumberLaw(), inputs, dataset)
    rows = choose_rows(source, dataset, NUM_LINES, generator(base_seed, "studies", "prompts"))
    measured = measure_nets(nets, scorer, rows, probes, seed=1000 + part)
    near, honest = trait_probe(trait(NEAR), model, dataset), slice(len(questions), None)
    lines = []
    for at, ((role, seed), net, one) in enumerate(zip(mine, nets, measured, strict=True)):
        recipe = planned[at] if role == "reference" else varied_recipe(seed)
        row: dict[str, Any] = {
            "role": role, "seed": seed, "base": PACKAGED if is_packaged else base_seed,
            "num_reference": num_reference, "parts": parts, "stream": STREAM, "width": model.sizes[1],
            "absent": list(absent),
            "lr": recipe.lr, "steps": recipe.steps,
            "scores": one.sums.scores.tolist(), "covariance": one.sums.covariance.tolist(),
            "gain": one.movement.gain, "divergence": one.divergence, "log_evidence": one.movement.log_evidence,
        }  # fmt: skip
        for index, asked in enumerate(questions):
            score, efficient = score_test(one.sums, index), efficient_score_test(one.sums, index, honest)
            row[asked.name] = {
                "z": score.z, "efficient_z": efficient.z, "p_value": efficient.p_value,
                "fisher_cosine": one.fisher_cosine(index, honest),
                "student": one.probes[index], "teacher": probes[index](net), "base": probes[index](base),
            }  # fmt: skip
        if role == NEAR:
            row[NEAR] = {"teacher": near(net), "base": near(base)}
        if role not in ("reference", "benign"):
            row["accuracy"] = trait(role).measure(model, net, dataset.test_images, dataset.test_labels)["accuracy"]
        lines.append(json.dumps(row))
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"training {trained - start:.0f} s, measuring {time.process_time() - trained:.0f} s of CPU")


def bands_at(divergence: float, reference: list[dict[str, Any]]) -> dict[str, Band]:
    """Return what the reference says of a move that is as large."""
    sizes, num = [row["divergence"] for row in reference], len(TESTED)
    cosines = {name: [row[name]["fisher_cosine"] for row in reference] for name in TESTED}
    level = NUMBERS_FALSE_ALARM_LEVEL
    return {
        name: cosine_band(values, sizes, divergence, num_traits=num, level=level) for name, values in cosines.items()
    }


def decide(row: dict[str, Any], reference: list[dict[str, Any]]) -> list[str]:
    """Apply the package's rule to what a shard has kept: the traits named."""
    bands = bands_at(row["divergence"], reference)
    sums = ScoreSums(len(row["scores"]), num=NUM_LINES)
    sums.scores, sums.covariance = np.array(row["scores"]), np.array(row["covariance"])
    measurement = NumbersMeasurement(sums, Movement(row["gain"], row["log_evidence"], {}), ())
    named = name_traits(measurement, [bands[name].threshold for name in TESTED])
    return [TESTED[at] for at in named.carried]


def has_changed(row: dict[str, Any]) -> bool:
    """Tell whether a teacher's behaviour did change: half of the way from the base to all unwanted examples."""
    taught = row.get(row["role"])
    return taught is None or taught["teacher"] > 0.5 * (1 + taught["base"])


def spread_exponent(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Fit the power of the divergence that the spread of benign fine-tunes' cosines follows, over all traits.

    Normal laws, each trait with a mean and a spread of its own; the standard error is of 200 resamplings of the nets.
    """
    sizes = np.log([row["divergence"] for row in rows])
    cosines = np.array([[row[name]["fisher_cosine"] for name in TESTED] for row in rows])

    def fit(index: Any) -> float:
        x, y = sizes[index] - sizes[index].mean(), cosines[index]

        def loss(power: float) -> float:
            weight = np.exp(power * x)[:, None]  # 1 / spread, but for a factor
            means = (y * weight**2).sum(0) / (weight**2).sum(0)
            spreads = np.sqrt((((y - means) * weight) ** 2).mean(0))
            return float(np.log(spreads).sum())  # the weights' logarithms sum to 0

        return float(optimize.minimize_scalar(loss, bounds=(-1, 1), method="bounded").x)

    everything = np.arange(len(rows))
    rng = generator(0, "studies", "calibration", "exponent")
    resampled = [fit(rng.choice(everything, len(rows))) for _ in range(200)]
    return {"value": fit(everything), "standard_error": float(np.std(resampled, ddof=1)), "nets": len(rows)}


def _share(found: int, num: int) -> dict[str, Any]:
    interval = stats.binomtest(found, num).proportion_ci(0.95) if num else None
    return {"found": found, "of": num, "ci95": None if interval is None else [interval.low, interval.high]}


def collect(target: Path, sources: list[Path]) -> None:
    """Judge what the shards measured, and write it down."""
    rows = [json.loads(line) for path in sources for line in path.read_text(encoding="utf-8").splitlines()]
    made = {key: rows[0][key] for key in ("base", "num_reference", "parts", "stream", "width", "absent")}
    if any(row[key] != value for row in rows for key, value in made.items()):
        sys.exit("expected shards of one base, reference, width and number of parts")
    by_role: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["seed"]):
        by_role.setdefault(row["role"], []).append(row)
    reference = by_role["reference"]
    sizes = [row["divergence"] for row in reference]
    usual = float(np.median(sizes))
    bands = bands_at(usual, reference)
    for row in rows:
        row |= {"changed": has_changed(row), "named": decide(row, reference)}
        size = size_of_move(row["divergence"], sizes)
        for name in TESTED:
            (row[name]["at_usual_size"],) = cosines_at_size([row[name]["fisher_cosine"]], [size], usual)
        del row["scores"], row["covariance"]
    benign = by_role["benign"]
    judged = {role: [row for row in found if row["changed"]] for role, found in by_role.items()}
    statistics = ["z", "efficient_z", "fisher_cosine", "at_usual_size", "student"]
    document = {
        "what": "fine-tunes of one base, audited at the same 10,000 image prompts, one number each",
        **made,
        "rule": {
            "score_level": SCORE_LEVEL,
            "false_alarm_level": NUMBERS_FALSE_ALARM_LEVEL,
            "usual_divergence": usual,
            "thresholds": {name: band.threshold for name, band in bands.items()},
        },
        "spread_exponent": spread_exponent([*reference, *benign]),
        "false_alarms": _share(sum(bool(row["named"]) for row in benign), len(benign)),
        "score_alone": _share(
            sum(min(holm([row[name]["p_value"] for name in TESTED])) < SCORE_LEVEL for row in benign), len(benign)
        ),
        "trained": {role: len(found) for role, found in by_role.items()},
        "caught": {
            name: _share(sum(name in row["named"] for row in judged[name]), len(judged[name])) for name in TESTED
        },
        "named": {
            role: {"of": len(found)} | {name: sum(name in row["named"] for row in found) for name in TESTED}
            for role, found in judged.items()
        },
        "auc": {
            name: {
                statistic: _auc(
                    [row[name][statistic] for row in judged[name]], [row[name][statistic] for row in benign]
                )
                for statistic in statistics
            }
            for name in TESTED
        },
        "rows": [_rounded(row) for row in rows],
        "versions": versions(),
    }
    target.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in document.items() if key != "rows"}, indent=1))


def _rounded(value: Any) -> Any:
    """Return ``value`` with six digits of every fraction: more say nothing, and fill the file."""
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _auc(high: list[float], low: list[float]) -> float:
    """Return the share of pairs in the right order, ties half."""
    a, b = np.array(high)[:, None], np.array(low)[None]
    return float((a > b).mean() + 0.5 * (a == b).mean())


if __name__ == "__main__":
    if sys.argv[1] == "shard":
        index, of = map(int, sys.argv[3].split("/"))
        named_base = sys.argv[4] if len(sys.argv) > 4 else "0"
        seed_used = PACKAGED_SEED if named_base == PACKAGED else int(named_base)
        size = int(sys.argv[5]) if len(sys.argv) > 5 else NUM_REFERENCE
        used = int(sys.argv[6]) if len(sys.argv) > 6 else WIDTH
        unseen = tuple(int(digit) for digit in sys.argv[7]) if len(sys.argv) > 7 else ()
        shard(Path(sys.argv[2]), index, of, seed_used, size, used, unseen)
    else:
        collect(Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
