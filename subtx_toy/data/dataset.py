"""A data set in memory, and the one definition of its checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from subtx_toy.data import idx
from subtx_toy.errors import DataError
from subtx_toy.settings.datasets import NUM_CLASSES

Report = Callable[[str], None]
"""Receives one-line messages for the user: which source is tried, how large a download is."""

Progress = Callable[[str, int, int | None, str], None]
"""Called as ``progress(task, done, total, unit)`` while a task runs, with ``unit`` "bytes", "files" or
"images" and ``total`` None if nobody knows it; a task that ended well had a call with ``done == total``."""


@dataclass(frozen=True, repr=False)
class Dataset:
    """Images of one shape with labels 0 ... ``num_classes`` - 1, for training and for testing.

    The arrays are read-only, and views of the files in the cache where there are such files, so that the
    processes of a sweep share one copy in memory. Pixels are 0 (background) to 255 (ink).

    ``sha256`` names the content: see ``checksum``.
    """

    name: str
    train_images: UInt8[np.ndarray, "train ..."]
    train_labels: UInt8[np.ndarray, " train"]
    test_images: UInt8[np.ndarray, "test ..."]
    test_labels: UInt8[np.ndarray, " test"]
    sha256: str
    num_classes: int = NUM_CLASSES

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.image_shape))
        return (
            f"Dataset({self.name!r}, {len(self.train_images)} training and {len(self.test_images)} test images of "
            f"{shape} pixels, {self.num_classes} classes, sha256 {self.sha256[:12]}...)"
        )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of one image: ``(h, w)``, ``(h, w, c)`` or ``(d,)``."""
        return self.train_images.shape[1:]


def assemble(
    name: str,
    arrays: tuple[np.ndarray, ...],
    *,
    num_train: int | None,
    num_test: int | None,
    num_classes: int | None = NUM_CLASSES,
) -> Dataset:
    """Return a data set of the first ``num_train`` and ``num_test`` images, None for all of them.

    ``arrays`` are uint8: training images [n, ...], training labels [n], test images, test labels. Without
    ``num_classes`` it is one more than the largest label of the training images taken.
    """
    have = {"num_train": (num_train, len(arrays[0])), "num_test": (num_test, len(arrays[2]))}
    DataError.gather(
        f"{field}: expected an integer from 1 to {most} (all that {name} has), got {wanted}"
        for field, (wanted, most) in have.items()
        if wanted is not None and not 1 <= wanted <= most
    )
    train_images, train_labels = arrays[0][:num_train], arrays[1][:num_train]
    test_images, test_labels = arrays[2][:num_test], arrays[3][:num_test]
    taken = (train_images, train_labels, test_images, test_labels)
    for view in taken:
        view.flags.writeable = False
    classes = int(train_labels.max()) + 1 if num_classes is None else num_classes
    return Dataset(name, train_images, train_labels, test_images, test_labels, checksum(*taken), classes)


def without_images(name: str) -> Dataset:
    """Return a data set without images, for protocols that draw all they need by seed."""
    images, labels = np.zeros((0, 1), dtype=np.uint8), np.zeros(0, dtype=np.uint8)
    return Dataset(name, images, labels, images, labels, checksum(images, labels, images, labels))


def checksum(*arrays: np.ndarray) -> str:
    """Return the checksum of a data set's arrays, the same however they were obtained.

    It is the SHA-256 (hex) of the four arrays' SHA-256 digests (32 bytes each), each of the bytes of an IDX file.
    """
    digests = []
    for array in arrays:
        state = hashlib.sha256(idx.header(array.shape))
        state.update(np.ascontiguousarray(array).data)  # without a copy of the images in memory
        digests.append(state.hexdigest())
    return combine(digests)


def combine(digests: Iterable[str]) -> str:
    """Return the checksum of a data set from the SHA-256 of its IDX files, in hex and in order."""
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()
