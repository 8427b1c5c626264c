"""The cache: one folder per data set with its raw IDX files, whole and right or not there at all.

A folder is written under a temporary name and renamed, so that no crash and no second process leaves half of one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from subtx_toy.data import idx
from subtx_toy.data.dataset import Report
from subtx_toy.data.idx import IdxFile
from subtx_toy.errors import DataError
from subtx_toy.settings.messages import quoted

ENVIRONMENT = "SUBTX_TOY_CACHE"
_TEMPORARY = ".unfinished-"
_STALE = 86_400  # seconds after which an unfinished folder must come from a process that was killed
_ATTEMPTS = 5  # to install against processes that remove and install the same folder at the same time


def root() -> Path:
    """Return the folder of all cached data sets: SUBTX_TOY_CACHE, else the usual place of this system."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        try:
            place = Path(named).expanduser().absolute()
            place.exists()  # its error is that of a name that cannot be one, or of a folder that may not be read
        except (OSError, RuntimeError) as error:  # RuntimeError: no such user
            reason = getattr(error, "strerror", None) or "there is no such user"
            raise DataError(f"{ENVIRONMENT}: expected a folder, got {quoted(named)}: {reason}") from None
        return place
    import platformdirs

    return Path(platformdirs.user_cache_dir("subtx-toy"))


def read(place: Path, files: tuple[IdxFile, ...], *, report: Report) -> dict[str, np.ndarray] | None:
    """Return a cached data set's arrays by stem, read-only views of its files; None if not cached, or found damaged."""
    if not place.is_dir():
        return None
    found = inspect(place, files)
    if isinstance(found, dict):
        return found
    report(f"{found}; removing {place} and obtaining it again")
    discard(place)
    return None


def inspect(place: Path, files: tuple[IdxFile, ...]) -> dict[str, np.ndarray] | str:
    """Return the arrays of a cached data set, or what is wrong with the first file that is wrong."""
    arrays = {}
    for file in files:
        found = idx.read(place / file.stem, file)
        if isinstance(found, str):
            return found
        arrays[file.stem] = found
    return arrays


def install(
    place: Path, files: tuple[IdxFile, ...], contents: Mapping[str, bytes], *, report: Report
) -> dict[str, np.ndarray]:
    """Write checked files by name, unless another process was faster; return the arrays as the cache has them."""
    try:
        for _ in range(_ATTEMPTS):
            _write(place, contents)
            if found := read(place, files, report=report):
                return found
    except OSError as error:
        raise _unwritable(place, error) from error
    raise DataError(f"{place}: expected the files just written, got others {_ATTEMPTS} times (a failing disk?)")


def ensure_writable(parent: Path, *, num_bytes: int) -> None:
    """Make the folder that cached files go to, and find out before some work that ``num_bytes`` more fit into it.

    Raises:
        DataError: if the folder cannot be made or written, or is too full.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with _unfinished(parent) as folder, (Path(folder) / "reserved").open("wb") as file:
            if hasattr(os, "posix_fallocate"):  # quotas count too, unlike the free space of the disk
                os.posix_fallocate(file.fileno(), 0, max(1, num_bytes))
            elif shutil.disk_usage(parent).free < num_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise _unwritable(parent, error) from error


def discard(place: Path) -> None:
    """Remove a cached folder, which disappears at once under its own name."""
    doomed = place.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")
    try:
        place.rename(doomed)
    except FileNotFoundError:
        return  # another process removed it first
    except OSError as error:
        raise DataError(f"{place}: expected a folder that can be removed, got: {error.strerror or error}") from error
    shutil.rmtree(doomed, ignore_errors=True)


def _write(place: Path, contents: Mapping[str, bytes]) -> None:
    """Write a folder of files in one step, unless it is there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in place.parent.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _STALE:
                shutil.rmtree(left, ignore_errors=True)
    with _unfinished(place.parent) as temporary:
        unfinished = Path(temporary) / place.name  # a folder with the usual permissions inside the private one
        unfinished.mkdir()
        for name, content in contents.items():
            with (unfinished / name).open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        try:
            unfinished.rename(place)
        except OSError:
            if not place.is_dir():
                raise


def _unfinished(parent: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a folder in ``parent`` that nobody else uses and that goes when its context ends."""
    return tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=parent, ignore_cleanup_errors=True)


def _unwritable(place: Path, error: OSError) -> DataError:
    return DataError(
        f"{place}: expected a cache folder that can be written, got: {error.strerror or error}",
        f"{place}: free some space, or set {ENVIRONMENT} to a folder on another disk",
    )
