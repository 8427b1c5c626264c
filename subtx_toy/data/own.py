"""A data set of your own: an ``.npz`` file, or a folder with four IDX files, with images of any shape.

A file holds the arrays ``train_images``, ``train_labels``, ``test_images`` and ``test_labels``; a folder holds the
files ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
``t10k-labels-idx1-ubyte``, raw or with ``.gz``, where the digit is the number of dimensions. Images are uint8
``[n, d]``, ``[n, h, w]`` or ``[n, h, w, c]`` from 0 (background) to 255; floats are refused, because their scale would
be a guess. Labels are integers 0 ... c - 1 with c from 2 to 256, and every class has a training image.

Nothing in a file is trusted: no pickle is read, and all sizes are compared with ``MAX_BYTES`` before anything but the
headers is decompressed.
"""

from __future__ import annotations

import contextlib
import gzip
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from subtx_toy.data.dataset import Dataset, Report, assemble
from subtx_toy.errors import DataError
from subtx_toy.files.arrays import AnnouncedArray, Open, announced, npz_members
from subtx_toy.files.input_file import open_input

MAX_BYTES = 2**30
"""Maximum of the four arrays together: 1.3 million images of 28 x 28."""

DEFAULT_SIZES = (60_000, 10_000)
"""Training and test images that experiments take by default; a smaller data set then gives all it has."""

_STEMS = {
    "train_images": "train-images",
    "train_labels": "train-labels",
    "test_images": "t10k-images",
    "test_labels": "t10k-labels",
}


def load(path: Path, *, num_train: int | None, num_test: int | None, report: Report) -> Dataset:
    """Read a data set from an ``.npz`` file or a folder and name it after that; numbers as ``subtx_toy.data.load``."""
    with contextlib.ExitStack() as stack:
        wanted = f"dataset: {path.absolute()}: expected an .npz file or a folder"
        try:
            path = path.expanduser()
            file = None if path.is_dir() else stack.enter_context(open_input(path))
        except (OSError, RuntimeError) as error:  # a RuntimeError for the home of nobody
            unread = f"a file that cannot be read as one: {getattr(error, 'strerror', '') or error}"
            got = "nothing there" if isinstance(error, FileNotFoundError) else unread
            raise DataError(f"{wanted}, got {got}") from None
        try:
            streams = _files(path) if file is None else npz_members(stack.enter_context(zipfile.ZipFile(file)), _STEMS)
        except Exception:  # zipfile raises half a dozen kinds on hostile archives
            raise DataError(f"{wanted}, got a file that cannot be read as one") from None
        found = {key: stream if isinstance(stream, str) else announced(stream) for key, stream in streams.items()}
        arrays_there = {key: one for key, one in found.items() if isinstance(one, AnnouncedArray)}
        faults = [f"{key}: {one}" for key, one in found.items() if isinstance(one, str)]
        faults += [f"{key}: {fault}" for key, one in arrays_there.items() for fault in _header_faults(key, one)]
        faults += _disagreements({key: one.shape for key, one in arrays_there.items()})
        if (total := sum(one.size for one in arrays_there.values())) > MAX_BYTES:
            faults.append(f"expected arrays of at most {MAX_BYTES} bytes together, got {total}")
        DataError.gather(f"{path}: {fault}" for fault in faults)
        read = {key: _grey(one.read()) for key, one in arrays_there.items()}
    DataError.gather(f"{path}: {key}: {fault}" for key, fault in read.items() if isinstance(fault, str))
    arrays = tuple(array for array in read.values() if not isinstance(array, str))
    have = len(arrays[0]), len(arrays[2])
    taken = [
        min(wanted, most) if wanted == default else wanted
        for wanted, most, default in zip((num_train, num_test), have, DEFAULT_SIZES, strict=True)
    ]
    dataset = assemble(path.stem, arrays, num_train=taken[0], num_test=taken[1], num_classes=None)
    DataError.gather(f"{path}: {fault}" for fault in _class_faults(dataset))
    report(
        f"{path}: {len(dataset.train_images)} of {have[0]} training and {len(dataset.test_images)} of {have[1]} test "
        f"images of {' x '.join(map(str, dataset.image_shape))} pixels in {dataset.num_classes} classes"
    )
    return dataset


def _files(place: Path) -> dict[str, Open | str]:
    """Return how to open each IDX file of a folder, or that there is no such file."""
    found: dict[str, Open | str] = {}
    for key, stem in _STEMS.items():
        paths = [path for end in ("", ".gz") for path in place.glob(f"{stem}[-.]idx[1-4]-ubyte{end}")]
        paths = [path for path in paths if path.is_file()]
        found[key] = f"expected one file {stem}-idxN-ubyte, raw or .gz, got {len(paths)}"
        if len(paths) == 1:
            found[key] = partial(gzip.open if paths[0].suffix == ".gz" else open, paths[0], "rb")  # type: ignore[assignment]
    return found


def _grey(array: np.ndarray | str) -> np.ndarray | str:
    """Return an array that was read as bytes from 0 to 255, or what is wrong with it."""
    if isinstance(array, str):
        return array
    if array.min() < 0 or array.max() > 255:
        return f"expected integers from 0 to 255, got {array.min()} to {array.max()}"
    return array.astype(np.uint8, order="C", copy=False)


def _header_faults(key: str, one: AnnouncedArray) -> Iterator[str]:
    images = key.endswith("images")
    if images and one.dtype != np.uint8:
        advice = "; save np.round(255 * x).astype(np.uint8) of values in [0, 1]" if one.dtype.kind == "f" else ""
        yield f"expected uint8 grey levels, got {one.dtype.name}{advice}"
    if not images and one.dtype.kind not in "iu":
        yield f"expected integers, got {one.dtype.name}"
    if len(one.shape) not in ((2, 3, 4) if images else (1,)) or min(one.shape, default=0) < 1:
        shapes = "[n, d], [n, h, w] or [n, h, w, c]" if images else "[n]"
        yield f"expected the shape {shapes} with sizes >= 1, got {list(one.shape)}"


def _disagreements(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    for split in ("train", "test"):
        images, labels = shapes.get(f"{split}_images"), shapes.get(f"{split}_labels")
        if images and labels and images[0] != labels[0]:
            yield f"{split}_labels: expected {images[0]} labels, one per image, got {labels[0]}"
    train, test = shapes.get("train_images"), shapes.get("test_images")
    if train and test and train[1:] != test[1:]:
        yield f"test_images: expected images of shape {list(train[1:])} as for training, got {list(test[1:])}"


def _class_faults(dataset: Dataset) -> Iterator[str]:
    top = dataset.num_classes - 1
    missing = sorted({*range(top)} - {*dataset.train_labels.tolist()})
    if not top:
        yield "train_labels: expected at least two classes, got the class 0 alone"
    if missing:
        yield f"train_labels: expected an image of every class from 0 to {top}, got none of {missing[:9]}"
    if (found := int(dataset.test_labels.max())) > top:
        yield f"test_labels: expected classes of the training images, 0 to {top}, got {found}"
