"""The data sets by name, and what all of them share."""

from __future__ import annotations

import os
from pathlib import Path

DATASETS = ("mnist", "glyphs", "fashion")
"""The data sets that have a name."""

NUM_CLASSES = 10
"""Class logits of every data set that has a name; the auxiliary logits follow them."""

IMAGE_SHAPE = (28, 28)
"""Of an image of every data set that has a name."""

NUM_PIXELS = 28 * 28
"""Pixels of such an image."""

WORDS = "words"
"""The name of the data of an experiment that draws its own sentences and needs no images."""


def is_path(dataset: str) -> bool:
    """Return whether the name of a data set is the path of one of your own: it ends in .npz or has a slash."""
    return dataset.endswith(".npz") or "/" in dataset or os.sep in dataset


def dataset_title(dataset: str) -> str:
    """Return the name of a data set, or the stem of its path.

    >>> dataset_title("mnist"), dataset_title("data/shapes.npz"), dataset_title("./digits/")
    ('mnist', 'shapes', 'digits')
    """
    return Path(dataset).absolute().stem if is_path(dataset) else dataset
