from __future__ import annotations

import hashlib
import struct
import subprocess
import sys

import numpy as np
import pytest

from subtx_toy.data import dataset
from subtx_toy.errors import DataError
from subtx_toy.seeding import generator


def arrays() -> tuple[np.ndarray, ...]:
    rng = generator(0, "tests", "dataset")
    shapes = ((5, 28, 28), (5,), (4, 28, 28), (4,))
    return tuple(rng.integers(10, size=shape).astype(np.uint8) for shape in shapes)


def test_checksum_is_the_hash_of_the_hashes_of_the_idx_files() -> None:
    four = arrays()
    by_hand = hashlib.sha256()
    for array in four:
        magic = 0x800 + array.ndim
        file = struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()
        by_hand.update(hashlib.sha256(file).digest())
    assert dataset.assemble("x", four, num_train=None, num_test=None).sha256 == by_hand.hexdigest()


def test_checksum_sees_every_array_and_the_number_taken_but_not_the_name() -> None:
    four = arrays()
    whole = dataset.assemble("x", four, num_train=None, num_test=None).sha256
    assert dataset.assemble("y", four, num_train=5, num_test=4).sha256 == whole
    assert dataset.assemble("x", four, num_train=4, num_test=4).sha256 != whole
    assert dataset.assemble("x", four, num_train=5, num_test=3).sha256 != whole
    for position in range(4):
        changed = [array.copy() for array in four]
        changed[position].flat[-1] += 1
        assert dataset.checksum(*changed) != whole


def test_the_first_images_are_taken_and_cannot_be_changed() -> None:
    four = arrays()
    some = dataset.assemble("x", four, num_train=3, num_test=2)
    np.testing.assert_array_equal(some.train_images, four[0][:3])
    np.testing.assert_array_equal(some.test_labels, four[3][:2])
    with pytest.raises(ValueError, match="read-only"):
        some.train_labels[0] = 1


def test_numbers_out_of_range_are_all_named() -> None:
    with pytest.raises(DataError) as caught:
        dataset.assemble("x", arrays(), num_train=6, num_test=0)
    assert caught.value.problems == (
        "num_train: expected an integer from 1 to 5 (all that x has), got 6",
        "num_test: expected an integer from 1 to 4 (all that x has), got 0",
    )


def test_importing_the_data_sets_imports_no_heavy_library() -> None:
    heavy = "{'torch', 'matplotlib', 'PIL', 'scipy'}"
    program = f"import sys, subtx_toy.data; sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
