"""What a run costs against its size: CPU seconds and peak memory over width, logits, depth, images and seeds."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import torch

from subtx_toy import data
from subtx_toy.protocols.distillation import run_protocol
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store.record import peak_rss_mib, versions

SUMMARY = "CPU seconds of the steps and peak memory against width, num_aux, depth, number of images and of seeds"
SERIES: dict[str, tuple[int, ...]] = {
    "width": (64, 128, 256, 512, 1024, 2048),
    "num_aux": (1, 3, 10, 30, 100, 300, 1000),
    "depth": (1, 2, 3, 4, 6),
    "images": (4096, 8192, 16384, 32768),
    "seeds": (1, 3, 10, 30, 100),
}
IMAGES = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--series", nargs="*", choices=list(SERIES), default=list(SERIES), help="default all")
    parser.add_argument("--repeats", type=int, default=2, help="of each point; the least time counts (default 2)")


def settings(series: str, value: int) -> dict[str, Any]:
    """One epoch of each phase on 4,096 images, with one setting changed."""
    images = value if series == "images" else IMAGES
    changed = {} if series in ("images", "seeds") else {series: value}
    fixed = {"dataset": "glyphs", "num_train": images, "num_inputs": images, "num_test": 1000,
             "teacher_epochs": 1, "student_epochs": 1}  # fmt: skip
    return fixed | changed


def products_gflop(config: RunConfig) -> float:
    """Floating-point operations of the steps' matrix products, in 10^9: teacher and four students."""
    sizes = [784, *[config.width] * config.depth, 10 + config.num_aux]
    layers = [d_in * d_out for d_in, d_out in itertools.pairwise(sizes)]
    per_image = 2 * (3 * sum(layers) - layers[0])
    return per_image * (config.teacher_epochs * config.num_train + 4 * config.student_epochs * config.num_inputs) / 1e9


def point(values: dict[str, Any], repeats: int, num_seeds: int) -> dict[str, float]:
    """Measure one configuration in this process, which has run nothing else: its seeds one after another."""
    torch.set_num_threads(1)
    config = RunConfig.parse(values)
    dataset = data.load("glyphs", num_train=config.num_train, num_test=config.num_test)
    warm = RunConfig.parse(values | {"num_train": 1024, "num_inputs": 1024, "width": 8, "num_aux": 1, "depth": 1})
    run_protocol(warm, data.load("glyphs", num_train=1024, num_test=config.num_test), seed=0)
    seconds = [
        sum(run_protocol(config, dataset, seed=seed).training_cpu_seconds for seed in range(1 + at, 1 + at + num_seeds))
        for at in range(repeats)
    ]
    return {
        "training_cpu_seconds": min(seconds),
        "peak_rss_mib": peak_rss_mib(),
        "gflop": num_seeds * products_gflop(config),
    }


def exponent(x: list[float], y: list[float]) -> float:
    """Return the slope of log y against log x over the upper half of the points, three at least."""
    half = -max(3, math.ceil(len(x) / 2))
    return float(np.polyfit(np.log(x[half:]), np.log(y[half:]), 1)[0])


def measured(series: str, repeats: int) -> Iterator[dict[str, float]]:
    """Yield the points of a series, each from a process of its own, so that peaks are its own."""
    for value in SERIES[series]:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            num_seeds = value if series == "seeds" else 1
            yield {series: value} | pool.submit(point, settings(series, value), repeats, num_seeds).result()


def run(arguments: argparse.Namespace) -> None:
    found: dict[str, Any] = {}
    for series in arguments.series:
        rows = []
        for row in measured(series, arguments.repeats):
            rows.append(row)
            if not arguments.json:
                print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
        x = [row[series] for row in rows]
        found[series] = {
            "points": rows,
            "exponent_of_time": exponent(x, [row["training_cpu_seconds"] for row in rows]),
            "exponent_of_products": exponent(x, [row["gflop"] for row in rows]),
            "exponent_of_memory": exponent(x, [row["peak_rss_mib"] for row in rows]),
        }
        if not arguments.json:
            print({name: round(value, 2) for name, value in found[series].items() if name != "points"}, flush=True)
    if arguments.json:
        document = {
            "benchmark": "cost",
            "what": "one seed, or several in their series: teacher and four students, one epoch each on 4,096 drawn "
                    "digits or as many noise images, fp32, one thread; CPU seconds of the steps, peak memory of the "
                    "process",
            "series": found,
            "load_average": os.getloadavg()[0],
            "versions": versions(),
        }  # fmt: skip
        print(json.dumps(document, indent=1))
