"""The flat record of one trial: what ran, on what, with what, and what came out."""

from __future__ import annotations

import platform
import resource
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from subtx_toy import __version__

SCHEMA_VERSION = 1
"""Of the record's fields; the store refuses records of a later schema than its own."""


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
        metrics: final values by name, for example ``student_aux.accuracy`` in [0, 1].
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
        """Return the fields whose values no record has, as they come out of a damaged file."""
        texts = {"run_id": self.run_id, "dataset_sha256": self.dataset_sha256}
        integers = {"results_version": self.results_version, "seed": self.seed, "schema_version": self.schema_version}
        tables = {"config": self.config, "versions": self.versions, "metrics": self.metrics}
        names = ("wall_seconds", "cpu_seconds", "training_cpu_seconds", "peak_rss_mib")
        numbers = {name: getattr(self, name) for name in names}
        if isinstance(self.metrics, dict):
            numbers |= self.metrics
        found = [name for name, value in texts.items() if not isinstance(value, str)]
        found += [name for name, value in integers.items() if type(value) is not int]
        found += [name for name, value in tables.items() if not isinstance(value, dict)]
        return found + [name for name, value in numbers.items() if type(value) not in (int, float)]

    @property
    def accuracies(self) -> dict[str, float]:
        """The final accuracies by arm; empty for protocols without arms."""
        ending = ".accuracy"
        return {name.removesuffix(ending): value for name, value in self.metrics.items() if name.endswith(ending)}


def versions(*names: str) -> dict[str, str]:
    """Return what this process computes with: the versions of ``names``, or of everything that a record names."""
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
    """Return the largest resident memory this process has had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kilobytes, macOS bytes.
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
