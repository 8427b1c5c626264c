"""A folder of the user's own with the four IDX files of a data set."""

from __future__ import annotations

import gzip
import io
import os
import zlib
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
        path = paths[file.stem]
        if path is None:
            faults.append(f"{place}: expected {file.stem} or {file.stem}.gz beside the other files, got neither")
            continue
        try:
            raw = gunzip(path.read_bytes(), file) if path.suffix == ".gz" else np.memmap(path, np.uint8, mode="r")
        except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            faults.append(f"{path}: expected {file.size} bytes of {file.stem}, got: {error}")
            continue
        content = raw if isinstance(raw, bytes) else raw.data
        what = idx.fault(content, file, others=tuple(other for other in files if other is not file))
        if what:
            faults.append(f"{path}: {what}")
        elif isinstance(raw, bytes):
            arrays[file.stem] = idx.decode(raw, file.shape)
        else:
            arrays[file.stem] = raw[len(idx.header(file.shape)) :].reshape(file.shape)
    DataError.gather(faults)
    return arrays


def gunzip(packed: bytes, file: IdxFile) -> bytes:
    """Return the content of a ``.gz`` file, reading no further than one byte past the size expected.

    Raises:
        OSError: if the file is truncated or not gzip.
    """
    try:
        with gzip.open(io.BytesIO(packed)) as stream:
            return stream.read(file.size + 1)
    except (EOFError, zlib.error) as error:
        raise OSError(f"a truncated or corrupt gzip file ({error})") from error
