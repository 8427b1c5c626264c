"""What it costs to start: each kind of command to its first line, and two workers to their first results."""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SUMMARY = "CPU seconds of commands, with and without torch, and of the start of two workers, forked and spawned"
WITHOUT_TORCH = (
    "--version", "list", "run --settings", "data list", "results list", "results summary", "results failed",
    "sweep tiny width=16,32 --seeds 0:3 --dry-run",
)  # fmt: skip
WITH_TORCH = ("verify --instances 1 --claims C1", "predict cloud2025 --quick", "certify small-net --quantity alignment")
_WORKERS = """
import sys
from subtx_toy.sweep import fork_server
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.schedule import schedule
from subtx_toy.sweep.workers import LocalWorkers

if __name__ == "__main__":
    if sys.argv[1] == "spawned":
        fork_server.ForkServer._started = lambda _: False
    plan = Plan.read("tiny", ["num_train=100", "num_inputs=100", "num_test=50"], seeds="0:2")
    workers = LocalWorkers(2)
    batches = [workers.submit([trial]) for trial in schedule(plan.configs, range(2))]
    assert all(batch.result()[0].record is not None for batch in batches)
    workers.close(at_once=False)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5, help="default 5")


def cost(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Return CPU seconds of a command and its processes, and seconds of the clock to its first output and its end."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    assert process.stdout is not None
    process.stdout.read(1)
    first = time.perf_counter() - start
    process.stdout.read()
    if process.wait():
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, first, time.perf_counter() - start


def measure(rounds: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "two_workers.py"
        script.write_text(_WORKERS)
        environment = os.environ | {"SUBTX_TOY_STORE": str(Path(folder) / "r.sqlite"), "PYTHONPATH": os.getcwd()}
        python = [sys.executable, "-m", "subtx_toy"]
        fill = [*python, "sweep", "tiny", "num_train=100", "num_inputs=100", "num_test=50", "--seeds", "0:2"]
        cost(fill, environment)  # a store to read, and bytecode
        commands = {f"subtx-toy {words}": [*python, *words.split()] for words in (*WITHOUT_TORCH, *WITH_TORCH)}
        commands |= {"python -c 'import torch'": [sys.executable, "-c", "import torch"]}
        commands |= {f"two workers, {way}": [sys.executable, str(script), way] for way in ("forked", "spawned")}
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                found[name].append(cost(command, environment))
    rows = []
    for name, costs in found.items():
        cpu, first, end = zip(*costs, strict=True)
        rows.append({
            "command": name, "n": len(cpu), "cpu_seconds": statistics.median(cpu), "lowest": min(cpu),
            "highest": max(cpu), "first_output_seconds": statistics.median(first), "seconds": statistics.median(end),
        })  # fmt: skip
    return rows


def run(arguments: argparse.Namespace) -> None:
    rows = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps({"benchmark": "start-up", "load_average": os.getloadavg()[0], "rows": rows}, indent=2))
        return
    print(f"{'':58}{'n':>3}{'CPU s':>8}   lowest to highest   first output, end (s of the clock)")
    for row in rows:
        print(
            f"{row['command']:58}{row['n']:3}{row['cpu_seconds']:8.2f}   {row['lowest']:.2f} to {row['highest']:.2f}"
            f"        {row['first_output_seconds']:.2f}, {row['seconds']:.2f}"
        )
