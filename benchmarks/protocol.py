"""The whole six-arm protocol: this package in float32 and bfloat16 against two baselines.

The baselines run as this package does, in one-thread processes, and as scripts usually do, in one process whose threads
take all of the processors (``_threads``).
"""

from __future__ import annotations

import argparse
import cProfile
import json
import multiprocessing
import os
import pstats
import resource
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks import baselines, ceiling
from benchmarks.checks import ratio, spread
from benchmarks.sweep import machine_busy
from subtx_toy import data
from subtx_toy.config import RunConfig
from subtx_toy.data.dataset import Dataset
from subtx_toy.training.products import products
from subtx_toy.training.protocol import run_protocol
from subtx_toy.training.trainers import StackTrainer

SUMMARY = "seconds a model of the six-arm protocol: fp32, bf16, batched einsum and a DataLoader loop, in turn"
PARTS = {
    "products": ["products.py:write", "products.py:operand"],
    "optimiser": ["fused.py:step"],
    "loss": ["losses.py:_kl", "losses.py:_cross_entropy"],
}
"""Functions of a step, by what they are for."""
FAST, SLOW = ("fp32", "bf16"), ("einsum", "loop", "einsum_threads", "loop_threads")


class Variant(NamedTuple):
    """What a process runs: ``fp32``, ``bf16``, ``einsum`` or ``loop``; models at once, and threads."""

    name: str
    models: int = 1
    threads: int = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=int, default=3, help="rounds over all variants (default 3)")
    parser.add_argument(
        "--processes",
        type=int,
        default=2,
        help="one-thread processes, or threads of one (default 2)",
    )
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


def _config(arguments: dict[str, Any], precision: str) -> RunConfig:
    return RunConfig.parse(
        {
            "dataset": arguments["dataset"], "num_train": arguments["images"], "num_inputs": arguments["images"],
            "teacher_epochs": arguments["epochs"], "student_epochs": arguments["epochs"], "precision": precision,
            "noise_grid": precision == "bf16",
        }
    )  # fmt: skip


def one(variant: Variant, seed: int, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run a variant in this process; seconds a model are those of its work (``cpu``) and of the cores it takes."""
    torch.set_num_threads(variant.threads)
    dataset = data.load(arguments["dataset"], num_train=arguments["images"], num_test=10_000)
    training = None
    wall, cpu = time.perf_counter(), time.process_time()
    if variant.name == "einsum":
        accuracy = baselines.einsum(dataset, seed=seed, num=variant.models, epochs=arguments["epochs"])
    elif variant.name == "loop":
        accuracy = baselines.loop(dataset, seed=seed, epochs=arguments["epochs"])
    else:
        result = run_protocol(_config(arguments, variant.name), dataset, seed=seed)
        accuracy, training = result.accuracy, result.training_cpu_seconds
    return {
        "seed": seed, "cpu": (time.process_time() - cpu) / variant.models,
        "core": (time.perf_counter() - wall) * variant.threads / variant.models,
        "training_cpu": training, "accuracy": accuracy,
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
    }  # fmt: skip


def _burn(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


class Crew:
    """As many processes as asked for, each of which is given one task of every call, or the first one of them."""

    def __init__(self, num: int, arguments: dict[str, Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pools = [ProcessPoolExecutor(1, mp_context=context) for _ in range(num)]
        self._arguments, self._seed = arguments, 0
        self.foreign: list[float] = []
        small = {**arguments, "images": 1024, "epochs": 1}  # imports and caches are not timed
        for name in ("fp32", "einsum", "loop"):
            for task in [pool.submit(one, Variant(name), 0, small) for pool in self._pools]:
                task.result()

    def run(self, variant: Variant) -> list[dict[str, Any]]:
        """Run a variant in every process at the same time, with seeds that were not used before.

        One with several threads runs in the first process alone.
        """
        wall, busy = time.perf_counter(), machine_busy()
        tasks = []
        for pool in self._pools[: 1 if variant.threads > 1 else None]:
            tasks.append(pool.submit(one, variant, self._seed, self._arguments))
            self._seed += 1
        found = [task.result() for task in tasks]
        seconds, own = time.perf_counter() - wall, variant.models * sum(row["cpu"] for row in found)
        self.foreign.append(max(0.0, (machine_busy() - busy - own) / seconds))
        return found

    def ceiling(self, precision: str) -> list[dict[str, float]]:
        """Time the protocol's products in every process at the same time."""
        return [task.result() for task in [pool.submit(ceiling.step_seconds, precision) for pool in self._pools]]

    def close(self) -> None:
        """End the processes."""
        for pool in self._pools:
            pool.shutdown()


def _mean(rows: Sequence[dict[str, Any]], key: str) -> float:
    return statistics.mean(row[key] for row in rows)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    given = vars(arguments)
    variants = {
        name: Variant(name.removesuffix("_threads"), threads=arguments.processes if name.endswith("_threads") else 1)
        for name in FAST + SLOW
        if name not in arguments.without
    }
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
    seconds = {name: [_mean(rows, "cpu") for rows in found] for name, found in rounds.items()}
    share = {}
    for name in low:
        steps = {what: min(one[what] for one in best[name]) for what in ("teacher", "students")}
        at_ceiling = ceiling.protocol_seconds(steps, _config(given, name))
        share[name] = spread([at_ceiling / _mean(rows, "training_cpu") for rows in rounds[name]])
    ratios = {}
    for fast in low:
        for slow in SLOW:
            if slow in seconds:
                ratios[f"{fast}_vs_{slow}"] = ratio(seconds[slow], seconds[fast])
    return {
        "benchmark": "protocol",
        "images": arguments.images, "epochs": arguments.epochs, "processes": arguments.processes,
        "variants": {name: variant._asdict() for name, variant in variants.items()},
        "trial_core_seconds": trial,
        "bf16_products": products("bf16").name,
        "cpu_seconds_a_model": {name: spread(values) for name, values in seconds.items()},
        "core_seconds_a_model": {
            name: spread([_mean(rows, "core") for rows in found]) for name, found in rounds.items()
        },
        "ratios": ratios,
        "gemm_share": share,
        "gemm_gflops_a_process": {
            name: ceiling.flops(4) / min(one["students"] for one in found) / 1e9 for name, found in best.items()
        },
        "copy_gb_per_second": ceiling.bandwidth(),
        "peak_rss_mib": {
            name: max(row["peak_rss_mib"] for rows in found for row in rows) for name, found in rounds.items()
        },
        "accuracy": {
            name: {arm: statistics.mean(row["accuracy"][arm] for rows in found for row in rows)
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
            sizes = {num: _mean(crew.run(variants[name]._replace(models=num)), "core") for num in arguments["stacked"]}
            variants[name] = variants[name]._replace(models=min(sizes, key=sizes.__getitem__))
            trial |= {f"{name} {num}": seconds for num, seconds in sizes.items()}
        crew.close()
    return trial


def co_tenant(arguments: argparse.Namespace) -> dict[str, Any]:
    """Alternate fp32 models without and with a process that burns one core; ratios of wall time."""
    crew, context = Crew(arguments.processes, vars(arguments)), multiprocessing.get_context("spawn")
    ratios, seconds = [], []
    for _ in range(arguments.repeats):
        alone = _mean(crew.run(Variant("fp32")), "core")
        burner = context.Process(target=_burn, args=(1e6,), daemon=True)
        burner.start()
        beside = _mean(crew.run(Variant("fp32")), "core")
        burner.terminate()
        ratios.append(beside / alone)
        seconds.append(alone)
    crew.close()
    return {"benchmark": "co-tenant", "slowdown": spread(ratios), "wall_seconds_alone": spread(seconds)}


def profile(arguments: argparse.Namespace) -> dict[str, Any]:
    """Say what parts of the training of one model take what share of its time, in both precisions."""
    torch.set_num_threads(1)
    dataset = data.load(arguments.dataset, num_train=arguments.images, num_test=10_000)
    return {"benchmark": "profile", **{name: _shares(_config(vars(arguments), name), dataset) for name in FAST}}


def _shares(config: RunConfig, dataset: Dataset) -> dict[str, float]:
    profiler = cProfile.Profile(time.process_time)

    class Watched(StackTrainer):
        def step(self, x: Tensor, targets: Sequence[Tensor]) -> list[float]:
            profiler.enable()
            losses = super().step(x, targets)
            profiler.disable()
            return losses

    idle = config.model_copy(update={"teacher_epochs": 0, "student_epochs": 0})
    run_protocol(idle, dataset, seed=0)  # imports and caches
    whole = run_protocol(config, dataset, seed=1, trainer=Watched).training_cpu_seconds
    spent: dict[str, float] = {}
    measured: dict[tuple[str, int, str], tuple[Any, ...]] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    for (file, _line, function), (_calls, _primitive, _own, cumulative, _callers) in measured.items():
        name = f"{Path(file).name}:{function}"
        spent[name] = spent.get(name, 0.0) + cumulative
    shares = {part: sum(spent[name] for name in names) / whole for part, names in PARTS.items()}
    shares["inputs and targets"] = 1 - spent["trainers.py:step"] / whole
    return {**shares, "activations, biases and the rest": 1 - sum(shares.values()), "training_cpu_seconds": whole}


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
