"""Published data sets: the user's folder, else the cache, else mirrors, in this order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from subtx_toy.data import cache, idx
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.data.idx import STEMS, IdxFile, gunzip
from subtx_toy.errors import DataError

_SILENCE = 5.0  # seconds: to connect, and without a byte before a mirror counts as dead
_PATIENCE = 300.0  # seconds for one file: 26 MB at 90 kB/s
_BLOCK = 1 << 18
_SLACK = 1 << 16  # bytes that gzip may add to a file it cannot compress


def mirror(address: str) -> Source:
    """Return the source of ``.gz`` files at ``address``, an https folder that ends with a slash."""

    def obtain(files: tuple[IdxFile, ...], report: Report, progress: Progress) -> dict[str, bytes]:
        return {
            file.stem: gunzip(_download(f"{address}{file.stem}.gz", file, report=report, progress=progress), file.size)
            for file in files
        }

    return Source(address, obtain)


def system_folder(place: Path) -> Source:
    """Return the source of ``.gz`` files in a folder where a distribution's package puts them."""

    def obtain(files: tuple[IdxFile, ...], report: Report, progress: Progress) -> dict[str, bytes]:
        if not place.is_dir():
            raise SourceError("no such folder")
        report(f"reading {place}")
        contents = {}
        for done, file in enumerate(files):
            contents[file.stem] = gunzip((place / f"{file.stem}.gz").read_bytes(), file.size)
            progress(f"reading {place}", done + 1, len(files), "files")
        return contents

    return Source(str(place), obtain)


def _download(url: str, file: IdxFile, *, report: Report, progress: Progress) -> bytes:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    task = url.rsplit("/", 1)[-1]
    give_up, most = time.monotonic() + _PATIENCE, file.size + _SLACK
    received = bytearray()
    try:
        with urlopen(url, timeout=_SILENCE) as answer:
            announced = answer.headers.get("Content-Length") or ""
            total = int(announced) if announced.isdecimal() else None
            report(f"downloading {url}" + (f" ({total / 1e6:.1f} MB)" if total else ""))
            while block := answer.read1(_BLOCK):
                received += block
                if len(received) > most:
                    raise SourceError(f"{task}: expected at most {most} bytes, got more")
                if time.monotonic() > give_up:
                    raise SourceError(f"{task}: expected the file in {_PATIENCE:g} s, got {len(received)} bytes")
                progress(task, len(received), total, "bytes")
    except (HTTPException, OSError) as error:  # the text of a URLError has its reason in a form for programmers
        why = str(error if isinstance(error, HTTPError) else getattr(error, "reason", error))
        raise SourceError(f"{task}: {why or type(error).__name__}") from error
    if len(received) != (total or len(received)):
        raise SourceError(f"{task}: expected {total} bytes, got {len(received)} (connection lost)")
    progress(task, len(received), len(received), "bytes")
    return bytes(received)


ENVIRONMENT = "SUBTX_TOY_DATA"


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
    found = _from_folder(data_dir, wanted.name, wanted.files, report=report)
    found = found or _cached_or_obtained(wanted, report=report, progress=progress)
    return tuple(found[file.stem] for file in wanted.files)


def fetch(wanted: PublishedSet, *, data_dir: Path | None, report: Report, progress: Progress) -> None:
    """Put the data set into the cache if it is not there yet; errors are those of ``read``."""
    place = cache.root() / wanted.name
    found = _from_folder(data_dir, wanted.name, wanted.files, report=report)
    if found is None:
        _cached_or_obtained(wanted, report=report, progress=progress)
    elif cache.read(place, wanted.files, report=report) is None:
        cache.install(place, wanted.files, {stem: idx.encode(array) for stem, array in found.items()}, report=report)


def _cached_or_obtained(wanted: PublishedSet, *, report: Report, progress: Progress) -> dict[str, np.ndarray]:
    place = cache.root() / wanted.name
    if found := cache.read(place, wanted.files, report=report):
        return found
    cache.ensure_writable(place.parent, num_bytes=sum(file.size for file in wanted.files))  # before a download
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


def _from_folder(
    data_dir: Path | None, name: str, files: tuple[IdxFile, ...], *, report: Report
) -> dict[str, np.ndarray] | None:
    """Return the arrays in the user's folder by stem, or None if it holds none of the files.

    Files lie in the folder or in its sub-folder ``name``, raw (then mapped into memory) or with ``.gz``, with a ``-``
    or a ``.`` before ``idx``, exactly as published. Without ``data_dir``, SUBTX_TOY_DATA names the folder.
    """
    field = "data_dir"
    if data_dir is None:
        if not os.environ.get(ENVIRONMENT):
            return None
        field, data_dir = ENVIRONMENT, Path(os.environ[ENVIRONMENT]).expanduser()
    try:
        if not data_dir.is_dir():
            raise DataError(f"{field}: expected a folder with IDX files, got {data_dir}")
    except OSError as error:  # a name that is too long, or a folder above that may not be read
        raise DataError(f"{field}: expected a folder with IDX files, got {data_dir}: {error.strerror}") from None
    for place in (data_dir / name, data_dir):
        paths = {file.stem: _find(place, file.stem) for file in files}
        if any(paths.values()):
            report(f"{name}: reading {place}")
            return _checked(place, paths, files)
    report(f"{name}: {data_dir} holds none of its files")
    return None


def _find(place: Path, stem: str) -> Path | None:
    spellings = (stem, f"{stem}.gz", stem.replace("-idx", ".idx"), stem.replace("-idx", ".idx") + ".gz")
    return next(filter(Path.is_file, map(place.joinpath, spellings)), None)


def _checked(place: Path, paths: dict[str, Path | None], files: tuple[IdxFile, ...]) -> dict[str, np.ndarray]:
    found = {}
    for file in files:
        path, missing = paths[file.stem], f"{place}: expected {file.stem} or {file.stem}.gz, got neither"
        found[file.stem] = idx.read(path, file, others=files) if path else missing
    DataError.gather(fault for fault in found.values() if isinstance(fault, str))
    return {stem: array for stem, array in found.items() if not isinstance(array, str)}
