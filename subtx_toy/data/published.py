"""Data sets whose every byte is known: four IDX files with fixed checksums, and where to find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from subtx_toy.data import cache, folder, idx
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.data.idx import STEMS, IdxFile
from subtx_toy.errors import DataError


class SourceError(Exception):
    """A source does not have the files, or cannot be reached; the next one is tried."""


@dataclass(frozen=True)
class Source:
    """A place that may have a data set; ``obtain`` returns unchecked IDX files, or raises SourceError or OSError."""

    name: str
    obtain: Callable[[tuple[IdxFile, ...], Report, Progress], Mapping[str, bytes]]


@dataclass(frozen=True)
class PublishedSet:
    """A data set of fixed content; ``sources`` are asked in turn, ``advice`` is for the message when nothing works."""

    name: str
    files: tuple[IdxFile, ...]
    sources: tuple[Source, ...]
    advice: str


def files_of(*sha256: str) -> tuple[IdxFile, ...]:
    """Return the four files of 60,000 and 10,000 images of 28 x 28 whose uncompressed contents have these checksums."""
    return tuple(map(IdxFile, STEMS, ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,)), sha256))


def read(wanted: PublishedSet, *, data_dir: Path | None, report: Report, progress: Progress) -> tuple[np.ndarray, ...]:
    """Return the four arrays, from the user's folder, else the cache, else the sources in turn.

    A folder of the user's that holds any of the files has to be right: nothing else is looked at then.
    """
    found = folder.read(data_dir, wanted.name, wanted.files, report=report)
    found = found or _cached_or_obtained(wanted, report=report, progress=progress)
    return tuple(found[file.stem] for file in wanted.files)


def fetch(wanted: PublishedSet, *, data_dir: Path | None, report: Report, progress: Progress) -> None:
    """Put the data set into the cache if it is not there yet; errors are those of ``read``."""
    place = cache.root() / wanted.name
    found = folder.read(data_dir, wanted.name, wanted.files, report=report)
    if found is None:
        _cached_or_obtained(wanted, report=report, progress=progress)
    elif cache.read(place, wanted.files, report=report) is None:
        cache.install(place, wanted.files, {stem: idx.encode(array) for stem, array in found.items()}, report=report)


def _cached_or_obtained(wanted: PublishedSet, *, report: Report, progress: Progress) -> dict[str, np.ndarray]:
    place = cache.root() / wanted.name
    if found := cache.read(place, wanted.files, report=report):
        return found
    cache.ensure_writable(place.parent)  # before a download, not after
    failures = []
    for source in wanted.sources:
        report(f"{wanted.name}: trying {source.name}")
        try:
            contents = source.obtain(wanted.files, report, progress)
        except (SourceError, OSError) as error:
            why = str(error) or type(error).__name__
        else:
            whats = {f.stem: idx.fault(contents.get(f.stem, b""), f, others=wanted.files) for f in wanted.files}
            why = "; ".join(f"{stem}: {what}" for stem, what in whats.items() if what)
            if not why:
                return cache.install(place, wanted.files, contents, report=report)
        report(f"{wanted.name}: {source.name}: {why}")
        failures.append(f"{wanted.name}: tried {source.name}: {why}")
    raise DataError(
        f"{wanted.name}: expected one of {len(wanted.sources)} sources to have the data set, got none",
        *failures,
        f"{wanted.name}: {wanted.advice}",
    )
