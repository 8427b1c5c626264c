"""The ``glyphs`` data set in the cache: one folder per pair of sizes and set of library versions."""

from __future__ import annotations

import hashlib
import json
import operator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from subtx_toy.data import cache, idx
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.data.idx import STEMS, IdxFile
from subtx_toy.errors import DataError
from subtx_toy.files.content_key import seal

NAME = "glyphs"
MANIFEST = "manifest.json"
_LIBRARIES = ("matplotlib", "numpy", "pillow", "scipy")  # a new version of one may change a few pixels
_MAX_IMAGES = 10_000_000  # per split, 7.8 GB: more is taken for a slip of the keyboard


def place(num_train: int, num_test: int) -> Path:
    """Return the folder that holds, or would hold, a set of these sizes drawn with these libraries."""
    from subtx_toy.data.glyphs import VERSION

    key = seal({library: version(library) for library in _LIBRARIES})[:12]
    return cache.root() / NAME / f"v{VERSION}-{num_train}-{num_test}-{key}"


def sizes(num_train: int | None, num_test: int | None) -> tuple[int, int]:
    """Return the numbers of training and test images, 1 to ten million, None standing for the default."""
    from subtx_toy.data.glyphs import SIZES

    train = SIZES["train"] if num_train is None else num_train
    test = SIZES["test"] if num_test is None else num_test
    DataError.gather(
        f"{field}: expected an integer from 1 to {_MAX_IMAGES}, got {number}"
        for field, number in (("num_train", train), ("num_test", test))
        if not 1 <= number <= _MAX_IMAGES
    )
    return train, test


def read(num_train: int, num_test: int, *, report: Report, progress: Progress) -> tuple[np.ndarray, ...]:
    """Return the four arrays of a set of these sizes, from the cache or newly drawn into it."""
    folder = place(num_train, num_test)
    found = None
    if files := manifest(folder):
        found = cache.read(folder, files, report=report)
    elif folder.is_dir():
        report(f"{folder}: expected a readable {MANIFEST}; removing the folder and drawing the images again")
        cache.discard(folder)
    if found is None:
        found = _draw(folder, num_train, num_test, report=report, progress=progress)
    return tuple(found[stem] for stem in STEMS)


def manifest(folder: Path) -> tuple[IdxFile, ...] | None:
    """Return what the files of a cached folder have to be, or None if its manifest cannot be read."""
    try:
        entries = json.loads((folder / MANIFEST).read_bytes())["files"]
        return tuple(
            IdxFile(stem, tuple(map(operator.index, entries[stem]["shape"])), str(entries[stem]["sha256"]))
            for stem in STEMS
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _draw(folder: Path, num_train: int, num_test: int, *, report: Report, progress: Progress) -> dict[str, np.ndarray]:
    from subtx_toy.data import glyphs

    total = num_train + num_test
    cache.ensure_writable(folder.parent, num_bytes=total * (28 * 28 + 1))
    report(f"{NAME}: drawing {num_train} training and {num_test} test images from matplotlib's fonts")
    try:
        train = glyphs.render("train", num_train, progress=lambda n: progress(NAME, n, total, "images"))
        test = glyphs.render("test", num_test, progress=lambda n: progress(NAME, num_train + n, total, "images"))
    except OSError as error:
        raise DataError(f"{NAME}: expected the fonts that matplotlib ships, got: {error.strerror or error}") from error
    arrays = dict(zip(STEMS, (*train, *test), strict=True))
    contents = {stem: idx.encode(array) for stem, array in arrays.items()}
    files = tuple(
        IdxFile(stem, array.shape, hashlib.sha256(contents[stem]).hexdigest()) for stem, array in arrays.items()
    )
    description = {
        "name": NAME,
        "version": glyphs.VERSION,
        "libraries": {library: version(library) for library in _LIBRARIES},
        "files": {file.stem: {"shape": file.shape, "sha256": file.sha256} for file in files},
    }
    contents[MANIFEST] = (json.dumps(description, indent=2) + "\n").encode()
    return cache.install(folder, files, contents, report=report)
