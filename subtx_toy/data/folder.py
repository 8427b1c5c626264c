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
