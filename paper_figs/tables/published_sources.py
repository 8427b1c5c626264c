"""What the sources' own files say, as transcribed in experiments/sources, in the digits of an experiment file."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from subtx_toy.settings.published import PublishedSweep

DIGITS = Decimal("0.0001")
"""A published value keeps four decimals, a tenth of the last digit that the sources' own tables print."""


class SourceKey(NamedTuple):
    """One published value: its experiment, the point as the check table names it, and the metric."""

    experiment: str
    point: str
    metric: str


class SourceValue(NamedTuple):
    """What a source's file says of one value.

    Attributes:
        numbers: the mean and its spread, if the file has one, to four decimals.
        spread: what the second number is, as in an experiment file.
        n: independent runs behind the mean.
    """

    numbers: list[float]
    spread: str
    n: int


def read_sources(folder: Path) -> dict[SourceKey, SourceValue]:
    """Read every transcription of a folder.

    A file with a column ``value`` has one row a seed: its mean and sample standard deviation (n - 1) are computed. Any
    other has a mean, its spread in a column ``sd`` or ``ci95``, empty where the source gives none, and ``n``.

    Raises:
        ValueError: if two rows speak of one value.
    """
    found: dict[SourceKey, SourceValue] = {}
    for path in sorted(folder.glob("*.csv")):
        lines = path.read_text(encoding="utf-8").splitlines()
        rows: dict[SourceKey, list[dict[str, str]]] = {}
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            rows.setdefault(SourceKey(row["experiment"], row["point"], row["metric"]), []).append(row)
        for key, here in rows.items():
            if key in found or (len(here) > 1 and "value" not in here[0]):
                raise ValueError(f"{path.name}: expected {key} once, got it again")
            found[key] = _of_seeds(here) if "value" in here[0] else _as_given(here[0])
    return found


def _of_seeds(rows: list[dict[str, str]]) -> SourceValue:
    values = [Decimal(row["value"]) for row in rows]
    return SourceValue(_rounded([statistics.mean(values), statistics.stdev(values)]), "sd", len(values))


def _as_given(row: Mapping[str, str]) -> SourceValue:
    spread = "sd" if "sd" in row else "ci95"
    numbers = [Decimal(text) for text in (row["mean"], row[spread]) if text]
    return SourceValue(_rounded(numbers), spread if len(numbers) > 1 else "none", int(row["n"]))


def _rounded(numbers: Iterable[Decimal]) -> list[float]:
    return [float(number.quantize(DIGITS)) for number in numbers]


def published_values(experiment: str, published: PublishedSweep) -> dict[SourceKey, SourceValue]:
    """Return what an experiment file publishes, in the form of a transcription."""
    return {
        SourceKey(experiment, " ".join(f"{name}={setting}" for name, setting in point.at.items()) or "base", metric): (
            SourceValue(value, published.spread if len(value) > 1 else "none", point.n or published.n)
        )
        for point in published.points
        for metric, value in point.values.items()
    }
