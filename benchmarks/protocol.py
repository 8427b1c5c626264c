"""The whole six-arm protocol: this package in float32 and bfloat16 against two baselines.

What a model costs is told in CPU seconds, and in seconds for which it takes the whole machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from typing import Any

from benchmarks import ceiling
from benchmarks.checks import ratio, spread
from benchmarks.crew import FAST, SLOW, Crew, Variant, config_of, mean
from benchmarks.step_profile import profile
from subtx_toy.training.products import products

SUMMARY = "seconds a model of the six-arm protocol: fp32, bf16, batched einsum and a DataLoader loop, in turn"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=int, default=3, help="rounds over all variants (default 3)")
    parser.add_argument("--processes", type=int, default=2, help="one-thread processes, or threads of one (default 2)")
    parser.add_argument("--images", type=int, default=60_000, help="labelled images, and noise images (default 60000)")
    parser.add_argument("--epochs", type=int, default=5, help="of teacher and of students (default 5)")
    parser.add_argument("--dataset", default="mnist", help="mnist or glyphs (default mnist)")
    parser.add_argument("--without", nargs="*", default=[], choices=FAST + SLOW, help="variants to leave out")
    parser.add_argument(
        "--stacked", type=int, nargs="+", default=[1, 4, 10],
        help="models at once that einsum chooses the fastest of, by a short trial (default 1 4 10: a round trains 10)",
    )  # fmt: skip
    parser.add_argument(
        "--co-tenant", action="store_true", help="fp32 alone, with and without a process burning a core"
    )
    parser.add_argument("--profile", action="store_true", help="what one model's time goes to, and stop")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    given = vars(arguments)
    variants = {name: Variant.named(name, arguments.processes) for name in FAST + SLOW if name not in arguments.without}
    trial = _stack_sizes(variants, given)
    low = [name for name in FAST if name in variants]
    # Processes of its own for each variant: what another one leaves in memory costs a twentieth.
    crews = {name: Crew(arguments.processes, given) for name in variants}
    rounds: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in variants}
    best: dict[str, list[dict[str, float]]] = {name: [] for name in low}
    for _ in range(arguments.repeats):
        for name, variant in variants.items():
            for precision in low:
                best[precision] += crews[precision].ceiling(precision)
            rounds[name].append(crews[name].run(variant))
    for crew in crews.values():
        crew.close()
    seconds = {name: [mean(rows, "cpu") for rows in found] for name, found in rounds.items()}
    machine = {
        name: [mean(rows, "wall") / variants[name].processes for rows in found] for name, found in rounds.items()
    }
    share = {}
    for name in low:
        steps = {what: min(one[what] for one in best[name]) for what in ("teacher", "students")}
        at_ceiling = ceiling.protocol_seconds(steps, config_of(given, name))
        share[name] = spread([at_ceiling / mean(rows, "training_cpu") for rows in rounds[name]])
    pairs = [(fast, slow) for fast in low for slow in SLOW if slow in variants]
    return {
        "benchmark": "protocol",
        "images": arguments.images, "epochs": arguments.epochs, "processes": arguments.processes,
        "variants": {name: variant._asdict() for name, variant in variants.items()},
        "trial_wall_seconds": trial,
        "bf16_products": products("bf16").name,
        "cpu_seconds_a_model": {name: spread(values) for name, values in seconds.items()},
        "machine_seconds_a_model": {name: spread(values) for name, values in machine.items()},
        "ratios": {f"{fast}_vs_{slow}": ratio(seconds[slow], seconds[fast]) for fast, slow in pairs},
        "machine_ratios": {f"{fast}_vs_{slow}": ratio(machine[slow], machine[fast]) for fast, slow in pairs},
        "gemm_share": share,
        "gemm_gflops_a_process": {
            name: ceiling.flops(4) / min(one["students"] for one in found) / 1e9 for name, found in best.items()
        },
        "copy_gb_per_second": ceiling.bandwidth(),
        "peak_rss_mib": {
            name: max(row["peak_rss_mib"] for rows in found for row in rows) for name, found in rounds.items()
        },
        "accuracy": {
            name: {arm: mean([row["accuracy"] for rows in found for row in rows], arm)
                   for arm in found[0][0]["accuracy"]}
            for name, found in rounds.items()
        },
        "foreign_cores": spread([cores for crew in crews.values() for cores in crew.foreign]),
        "load_average": os.getloadavg()[0],
    }  # fmt: skip


def _stack_sizes(variants: dict[str, Variant], arguments: dict[str, Any]) -> dict[str, float]:
    """Set how many models einsum trains at once to what is fastest in a short trial; return what the trial took."""
    trial: dict[str, float] = {}
    if stacked := [name for name, variant in variants.items() if variant.name == "einsum"]:
        crew = Crew(arguments["processes"], {**arguments, "images": min(arguments["images"], 8192), "epochs": 1})
        for name in stacked:
            sizes = {num: mean(crew.run(variants[name]._replace(models=num)), "wall") for num in arguments["stacked"]}
            variants[name] = variants[name]._replace(models=min(sizes, key=sizes.__getitem__))
            trial |= {f"{name} {num}": seconds for num, seconds in sizes.items()}
        crew.close()
    return trial


def _burn(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def co_tenant(arguments: argparse.Namespace) -> dict[str, Any]:
    """Alternate fp32 models without and with a process that burns one core; ratios of wall time."""
    crew, context = Crew(arguments.processes, vars(arguments)), multiprocessing.get_context("spawn")
    ratios, seconds = [], []
    for _ in range(arguments.repeats):
        alone = mean(crew.run(Variant("fp32", arguments.processes)), "wall")
        burner = context.Process(target=_burn, args=(1e6,), daemon=True)
        burner.start()
        beside = mean(crew.run(Variant("fp32", arguments.processes)), "wall")
        burner.terminate()
        ratios.append(beside / alone)
        seconds.append(alone)
    crew.close()
    return {"benchmark": "co-tenant", "slowdown": spread(ratios), "wall_seconds_alone": spread(seconds)}


def run(arguments: argparse.Namespace) -> None:
    found = (
        profile(arguments) if arguments.profile else co_tenant(arguments) if arguments.co_tenant else measure(arguments)
    )
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        if not isinstance(value, dict):
            print(f"{name:<36}{value}")
            continue
        print(name)
        for key, inner in value.items():
            numbers = inner.items() if isinstance(inner, dict) else [("", inner)]
            print(f"  {key:<34}" + "  ".join(f"{label} {_shown(one)}".strip() for label, one in numbers))


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
