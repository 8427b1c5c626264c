"""A second labelling of the same images, for a teacher of two tasks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from subtx_toy.data.dataset import Dataset

SECOND_TASKS = {"parity": 2, "ink": 10}
"""By name, the number of classes: whether the label is odd; or which tenth of the training images, by ink, it is in."""


def relabelled(dataset: Dataset, task: str) -> Dataset:
    """Return the data set with the labels of the second task."""
    if task == "parity":
        train, test = dataset.train_labels % 2, dataset.test_labels % 2
    else:
        inked, asked = _ink(dataset.train_images), _ink(dataset.test_images)
        ends = np.quantile(inked, np.arange(1, 10) / 10)
        train, test = (np.searchsorted(ends, ink, side="right").astype(np.uint8) for ink in (inked, asked))
    return replace(
        dataset, train_labels=train, test_labels=test, num_classes=SECOND_TASKS[task], sha256=f"{dataset.sha256} {task}"
    )


def paired(dataset: Dataset, second: Dataset) -> Dataset:
    """Return the data set whose training labels are ``label * num_second + second label``."""
    labels = dataset.train_labels * np.uint8(second.num_classes) + second.train_labels
    return replace(dataset, train_labels=labels, sha256=f"{second.sha256} with digits")


def _ink(images: UInt8[np.ndarray, "n ..."]) -> np.ndarray:
    summed: np.ndarray = images.reshape(len(images), -1).sum(axis=1, dtype=np.int64)
    return summed
