"""The second labelling of the same images."""

from __future__ import annotations

import numpy as np

from subtx_toy.data.dataset import Dataset
from subtx_toy.data.second_task import paired, relabelled


def test_parity_is_whether_the_label_is_odd(striped_digits: Dataset) -> None:
    found = relabelled(striped_digits, "parity")
    assert found.num_classes == 2
    assert np.array_equal(found.test_labels, striped_digits.test_labels % 2)
    assert found.sha256 != striped_digits.sha256


def test_ink_cuts_the_training_images_into_tenths_and_keeps_their_order() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(1000, 3, 3)).astype(np.uint8)
    labels = rng.integers(10, size=1000).astype(np.uint8)
    found = relabelled(Dataset("drawn", images, labels, images[:100], labels[:100], "x"), "ink")
    assert set(np.bincount(found.train_labels)) <= {97, 98, 99, 100, 101, 102, 103}
    ink = images.reshape(1000, -1).sum(1, dtype=int)
    order = np.argsort(ink, kind="stable")
    assert bool((np.diff(found.train_labels[order].astype(int)) >= 0).all())
    assert np.array_equal(found.test_labels, found.train_labels[:100])


def test_a_pair_of_labels_gives_both_back(striped_digits: Dataset) -> None:
    second = relabelled(striped_digits, "ink")
    pair = paired(striped_digits, second).train_labels
    assert np.array_equal(pair // 10, striped_digits.train_labels)
    assert np.array_equal(pair % 10, second.train_labels)
