"""The flat record of one trial: what ran, on what, with what, and what came out."""

from __future__ import annotations

import contextlib
import math
import platform
import re
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subtx_toy import __version__

DIVERGED = ".diverged_epoch"
"""Ending of the metric that an arm has if it diverged, and of no other."""

SCHEMA_VERSION = 1
"""Of the record's fields; the store refuses records of a later schema than its own."""


_KINDS: dict[type, str] = {
    dict: "a table", list: "a list", str: "a text", bool: "true or false", int: "an integer", float: "a number",
    bytes: "bytes", type(None): "none",
}  # fmt: skip


def kind_of(value: object) -> str:
    """Say in words what a value from a file is.

    >>> kind_of([1]), kind_of(True), kind_of(None)
    ('a list', 'true or false', 'none')
    """
    return _KINDS.get(type(value), "another value")


@dataclass(frozen=True)
class RunRecord:
    """One (configuration, seed) that has finished.

    Attributes:
        run_id: content key of configuration, seed, data and RESULTS_VERSION.
        results_version: RESULTS_VERSION of the package that made it.
        config: every field of the configuration.
        seed: names the random streams.
        dataset_sha256: checksum of the labelled images used.
        versions: of the package, Python, torch, numpy and its BLAS; in bf16 also how its products are computed.
        metrics: final values by name, for example ``student_aux.accuracy`` in [0, 1]; of an arm that diverged nan, and
            the epoch in which it did, as ``student_aux.diverged_epoch``.
        series: learning curves by name, stored in float32.
        wall_seconds: from the first to the last step of the trial; ``cpu_seconds`` of its process in that time.
        training_cpu_seconds: spent in optimiser steps, with their inputs and targets; a teacher's steps are counted
            even where an earlier run of the same process took them.
        peak_rss_mib: largest resident memory of the process so far, in MiB.
    """

    run_id: str
    results_version: int
    config: dict[str, Any]
    seed: int
    dataset_sha256: str
    versions: dict[str, str]
    metrics: dict[str, float]
    wall_seconds: float
    cpu_seconds: float
    training_cpu_seconds: float
    peak_rss_mib: float
    series: dict[str, list[float]] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def misfits(self) -> list[str]:
        """Return one sentence for each value that no record has, as they come out of a damaged file."""
        texts: dict[str, Any] = {"run_id": self.run_id, "dataset_sha256": self.dataset_sha256}
        integers = {"results_version": self.results_version, "seed": self.seed, "schema_version": self.schema_version}
        tables = {"config": self.config, "versions": self.versions, "metrics": self.metrics}
        names = ("wall_seconds", "cpu_seconds", "training_cpu_seconds", "peak_rss_mib")
        numbers = {name: getattr(self, name) for name in names}
        if isinstance(self.metrics, dict):
            numbers |= {f"metrics.{name}": value for name, value in self.metrics.items()}
        if isinstance(self.config, dict):
            texts["config.dataset"] = self.config.get("dataset")
        wanted: list[tuple[dict[str, Any], tuple[type, ...], str]] = [
            (texts, (str,), "a text"), (integers, (int,), "an integer"), (tables, (dict,), "a table"),
            (numbers, (int, float), "a number"),
        ]  # fmt: skip
        found = [
            f"{name}: expected {what}, got {kind_of(value)}"
            for group, kinds, what in wanted
            for name, value in group.items()
            if type(value) not in kinds
        ]
        told = {name: value for name, value in numbers.items() if name.endswith(DIVERGED)}
        return found or [
            f"{name}: expected an epoch, got {value}" for name, value in told.items() if not math.isfinite(value)
        ]

    @property
    def accuracies(self) -> dict[str, float]:
        """The final accuracies by arm, nan of those that diverged; empty for protocols without arms."""
        ending = ".accuracy"
        return {name.removesuffix(ending): value for name, value in self.settled.items() if name.endswith(ending)}

    @property
    def diverged(self) -> dict[str, int]:
        """The arms that diverged, with the epoch; records of earlier versions tell it by their curves."""
        told = {
            name.removesuffix(DIVERGED): int(value) for name, value in self.metrics.items() if name.endswith(DIVERGED)
        }
        ending = ".accuracy"
        measured = {name.removesuffix(ending): v for name, v in self.metrics.items() if name.endswith(ending)}
        return told or diverged_epochs(
            self.series, {arm: v for arm, v in measured.items() if f"{arm}.loss" in self.series}
        )

    @property
    def settled(self) -> dict[str, float]:
        """The metrics, nan where their arm has diverged."""
        return settled(self.metrics, self.diverged)


def diverged_epochs(curves: Mapping[str, Sequence[float]], accuracies: Mapping[str, float]) -> dict[str, int]:
    """Return the arms that end diverged, and the epoch, from 1, in which each of them first was; 0 is its init.

    An arm has diverged when an answer on the test images, or the mean loss of the last epoch, is not finite.
    """
    found = {}
    for arm, value in accuracies.items():
        answers, losses = curves.get(f"{arm}.accuracy", []), curves.get(f"{arm}.loss", [])
        if math.isfinite(value) and all(map(math.isfinite, losses[-1:])):
            continue
        odd = [epoch for epoch, one in enumerate(answers) if not math.isfinite(one)]
        odd += [epoch for epoch, one in enumerate(losses, start=1) if not math.isfinite(one)]
        found[arm] = min(odd, default=len(losses))
    return found


def settled(metrics: Mapping[str, float], diverged: Mapping[str, int]) -> dict[str, float]:
    """Return metrics, nan where their arm is one of the ``diverged``, whose epochs are among them."""
    found = {
        name: math.nan if name.partition(".")[0] in diverged and not name.endswith(DIVERGED) else value
        for name, value in metrics.items()
    }
    return found | {f"{arm}{DIVERGED}": float(epoch) for arm, epoch in diverged.items()}


def versions(*names: str) -> dict[str, str]:
    """Return what this process computes with: the versions of ``names``, or of everything that a record names."""
    import numpy as np
    import torch

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    found = {
        "subtx_toy": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "machine": platform.machine(),
    }
    return {name: found[name] for name in names or found}


def peak_rss_mib() -> float:
    """Return the largest resident memory this process has had, in MiB.

    Where Linux has no /proc, it may be that of the process which started this one: getrusage keeps it through exec.
    """
    with contextlib.suppress(OSError):
        found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
        if found:
            return int(found[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kilobytes, macOS bytes.
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
