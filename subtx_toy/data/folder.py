"""A folder of the user's own with the four IDX files of a data set."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from subtx_toy.data import idx
from subtx_toy.data.dataset import Report
from subtx_toy.data.idx import IdxFile
from subtx_toy.errors import DataError

ENVIRONMENT = "SUBTX_TOY_DATA"


def read(
    data_dir: Path | None, name: str, files: tuple[IdxFile, ...], *, report: Report
) -> dict[str, np.ndarray] | None:
    """Return the arrays in the user's folder by stem, or None if it holds none of the files.

    The files may lie in the folder itself or in a sub-folder named after the data set, each raw or with
    ``.gz``, with a ``-`` or a ``.`` before ``idx``. Raw files are mapped into memory, not copied.

    Args:
        data_dir: the folder; None for the one in the environment variable SUBTX_TOY_DATA, if any.
        name: of the data set.
        files: what it consists of.
        report: receives messages.

    Raises:
        DataError: if the folder does not exist, holds some of the files but not all, or one of them is not
            exactly as published; all faults at once.
    """
    field = "data_dir"
    if data_dir is None:
        if not os.environ.get(ENVIRONMENT):
            return None
        field, data_dir = ENVIRONMENT, Path(os.environ[ENVIRONMENT]).expanduser()
    try:
        usable = data_dir.is_dir()
    except OSError as error:  # a name that is too long, or a folder above that may not be read
        raise DataError(f"{field}: expected a folder with IDX files, got {data_dir}: {error.strerror}") from None
    if not usable:
        raise DataError(f"{field}: expected a folder with IDX files, got {data_dir}")
    for place in (data_dir / name, data_dir):
        paths = {file.stem: _find(place, file.stem) for file in files}
        if any(paths.values()):
            report(f"{name}: reading {place}")
            return _checked(place, paths, files)
    report(f"{name}: {data_dir} holds none of its files")
    return None


def _find(place: Path, stem: str) -> Path | None:
    for spelling in (stem, stem.replace("-idx", ".idx")):
        for path in (place / spelling, place / f"{spelling}.gz"):
            if path.is_file():
                return path
    return None


def _checked(place: Path, paths: dict[str, Path | None], files: tuple[IdxFile, ...]) -> dict[str, np.ndarray]:
    arrays, faults = {}, []
    for file in files:
        path, stem = paths[file.stem], file.stem
        found = idx.read(path, file, others=files) if path else f"{place}: expected {stem} or {stem}.gz, got neither"
        if isinstance(found, str):
            faults.append(found)
        else:
            arrays[stem] = found
    DataError.gather(faults)
    return arrays
