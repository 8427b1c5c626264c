"""A data set of the user's own is read exactly, or refused with everything that is wrong in one message."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from subtx_toy import data
from subtx_toy.data import idx, own
from subtx_toy.errors import DataError
from subtx_toy.seeding import generator

KEYS = ("train_images", "train_labels", "test_images", "test_labels")


def arrays(*, image: tuple[int, ...] = (8, 8), classes: int = 3) -> dict[str, np.ndarray]:
    rng = generator(0, "tests", "own data set")
    found = {}
    for split, num in (("train", 30), ("test", 12)):
        found[f"{split}_images"] = rng.integers(256, size=(num, *image)).astype(np.uint8)
        found[f"{split}_labels"] = (np.arange(num) % classes).astype(np.uint8)
    return found


def npz(folder: Path, **changed: Any) -> Path:
    """Write the arrays, with some of them changed, or left out where they are None."""
    path = folder / "shapes.npz"
    np.savez(path, **{key: value for key, value in {**arrays(), **changed}.items() if value is not None})
    return path


def faults(path: Path, *, num_train: int | None = None, num_test: int | None = None) -> list[str]:
    with pytest.raises(DataError) as caught:
        data.load(str(path), num_train=num_train, num_test=num_test)
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


@pytest.mark.parametrize("image", [(8, 8), (5,), (4, 6, 3)])
def test_images_of_any_shape_are_read_exactly(tmp_path: Path, image: tuple[int, ...]) -> None:
    wanted = arrays(image=image)
    found = data.load(str(npz(tmp_path, **wanted)))
    assert (found.name, found.image_shape, found.num_classes) == ("shapes", image, 3)
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), wanted[key])
        assert not getattr(found, key).flags.writeable


def write_folder(folder: Path, *, packed: bool, dot: str) -> Path:
    folder.mkdir()
    for stem, array in zip(
        ("train-images", "train-labels", "t10k-images", "t10k-labels"), arrays().values(), strict=True
    ):
        raw, name = idx.encode(array), f"{stem}{dot}idx{array.ndim}-ubyte"
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(raw) if packed else raw)
    return folder


def test_equal_content_has_one_checksum_however_it_is_written(tmp_path: Path) -> None:
    plain = npz(tmp_path)
    packed, other = tmp_path / "packed.npz", tmp_path / "other.npz"
    np.savez_compressed(packed, **cast(Any, arrays()))
    changed = {key: value.astype(">i8") for key, value in arrays().items() if key.endswith("labels")}
    changed["train_images"] = np.asfortranarray(arrays()["train_images"])
    np.savez(other, **cast(Any, arrays() | changed | {"notes": np.zeros(3)}))
    raw = write_folder(tmp_path / "raw", packed=False, dot="-")
    zipped = write_folder(tmp_path / "zipped", packed=True, dot=".")
    sums = {data.load(str(path)).sha256 for path in (plain, packed, other, raw, zipped)}
    assert len(sums) == 1
    changed_pixel = arrays()["test_images"]
    changed_pixel[0, 0, 0] ^= 1
    assert data.load(str(npz(tmp_path, test_images=changed_pixel))).sha256 not in sums


def test_default_sizes_stand_for_all_there_is_and_others_are_taken_as_they_are(tmp_path: Path) -> None:
    path, said = npz(tmp_path), list[str]()
    whole = data.load(str(path), num_train=60_000, num_test=10_000, report=said.append)
    assert (len(whole.train_images), len(whole.test_images)) == (30, 12)
    assert said == [f"{path}: 30 of 30 training and 12 of 12 test images of 8 x 8 pixels in 3 classes"]
    assert len(data.load(str(path), num_train=7).train_images) == 7
    assert faults(path, num_train=31, num_test=9_999) == [
        "num_train: expected an integer from 1 to 30 (all that shapes has), got 31",
        "num_test: expected an integer from 1 to 12 (all that shapes has), got 9999",
    ]


def test_classes_are_those_of_the_images_taken(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2], 10)
    path = npz(tmp_path, train_labels=labels, test_labels=np.zeros(12, int))
    assert data.load(str(path), num_train=20).num_classes == 2
    assert faults(path, num_train=5) == ["train_labels: expected at least two classes, got the class 0 alone"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train_images", np.zeros((30, 8, 8)), "expected uint8 grey levels, got float64; save np.round(255 * x)"),
        ("train_images", np.zeros((30, 8, 8), np.int16), "expected uint8 grey levels, got int16"),
        ("train_images", np.zeros(30, np.uint8), "expected the shape [n, d], [n, h, w] or [n, h, w, c] with sizes"),
        ("train_images", np.zeros((30, 0), np.uint8), "with sizes >= 1, got [30, 0]"),
        ("train_images", np.zeros((29, 8, 8), np.uint8), "train_labels: expected 29 labels, one per image, got 30"),
        ("test_images", np.zeros((12, 8, 9), np.uint8), "expected images of shape [8, 8] as for training, got [8, 9]"),
        ("train_labels", np.full(30, np.nan), "train_labels: expected integers, got float64"),
        ("train_labels", np.full(30, True), "train_labels: expected integers, got bool"),
        ("train_labels", np.full(30, "cat"), "train_labels: expected integers, got str"),
        ("train_labels", np.zeros((30, 1), int), "train_labels: expected the shape [n] with sizes >= 1, got [30, 1]"),
        ("train_labels", np.arange(30) - 1, "train_labels: expected integers from 0 to 255, got -1 to 28"),
        ("train_labels", np.arange(30) * 10, "train_labels: expected integers from 0 to 255, got 0 to 290"),
        ("train_labels", np.arange(30) % 3 + 1, "expected an image of every class from 0 to 3, got none of [0]"),
        ("test_labels", np.full(12, 3), "test_labels: expected classes of the training images, 0 to 2, got 3"),
        ("train_labels", np.array(None, object), "train_labels: expected integers, got object"),
        ("train_labels", None, "train_labels: expected an array of this name, got 'train_images', 'test_images'"),
    ],
)  # fmt: skip
def test_a_wrong_array_is_named_with_what_is_wrong(tmp_path: Path, key: str, value: Any, message: str) -> None:
    assert message in "\n".join(faults(npz(tmp_path, **{key: value})))


def test_everything_wrong_is_reported_at_once(tmp_path: Path) -> None:
    path = npz(tmp_path, train_images=None, train_image=np.zeros(3), test_images=np.zeros(4), test_labels=np.zeros(5))
    assert [fault.partition(":")[0] for fault in faults(path)] == [
        "train_images",
        "test_images",
        "test_images",
        "test_labels",
        "test_labels",
    ]
    assert faults(path)[0].endswith("; did you mean 'train_image'?")


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_in_the_file_is_never_read(tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    path = npz(tmp_path, train_images=np.array([Payload(mark)], object))
    assert "train_images: expected uint8 grey levels, got object" in faults(path)
    assert not mark.exists()
    with np.load(path, allow_pickle=True) as unsafe:
        assert unsafe["train_images"].shape == (1,)
    assert mark.exists()  # the payload is a real one


def rewritten(path: Path, key: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Replace the file of one array inside an archive."""
    with zipfile.ZipFile(path) as archive:
        old = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, raw in {**old, f"{key}.npy": content}.items():
            archive.writestr(name, raw)
    return path


def npy_header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_a_bomb_is_refused_by_its_header_and_the_limit_is_named(tmp_path: Path) -> None:
    path = rewritten(npz(tmp_path), "test_images", npy_header((12, 2**28)))
    assert f"expected arrays of at most {2**30} bytes together, got {12 * 2**28 + 30 * 64 + 42}" in faults(path)


@pytest.mark.parametrize("end", [b"", bytes(767), bytes(10**7)])
def test_an_array_of_another_length_than_its_header_says_is_refused(tmp_path: Path, end: bytes) -> None:
    path = rewritten(npz(tmp_path), "test_images", npy_header((12, 8, 8)) + end)
    assert faults(path) == ["test_images: expected 768 bytes after the header, got a damaged or truncated array"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + bytes(10**6),  # a header of 2 GB
        b"\x93NUMPY\x03\x00" + npy_header((12, 8, 8))[8:],
        b"\x93NUMPY\x01\x00\xf0\x0f" + b"(" * 4080,
        b"\0\0\x08\xff" + b"\xff" * 100,
        pickle.dumps([1, 2, 3]),
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, content: bytes) -> None:
    path = rewritten(npz(tmp_path), "test_images", content)
    assert faults(path) == ["test_images: expected an array of numbers, got something else or a damaged header"]


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    images = np.zeros((30, 20, 20), np.uint8)
    path = npz(tmp_path, train_images=images, test_images=images[:12])
    raw = bytearray(path.read_bytes())
    raw[raw.index(images.tobytes()) + 5_000] ^= 1
    path.write_bytes(raw)
    assert faults(path) == ["train_images: expected 12000 bytes after the header, got a damaged or truncated array"]


def test_compression_that_cannot_be_bounded_is_not_opened(tmp_path: Path) -> None:
    path = rewritten(npz(tmp_path), "test_labels", b"", zipfile.ZIP_LZMA)
    assert faults(path)[0] == "train_images: expected an array of this name, got none"


def test_an_incomplete_folder_and_a_truncated_file_are_refused(tmp_path: Path) -> None:
    place = write_folder(tmp_path / "mine", packed=False, dot="-")
    path = place / "train-images-idx3-ubyte"
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    assert faults(place) == ["train_images: expected 1920 bytes after the header, got a damaged or truncated array"]
    (place / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(good))
    (place / "t10k-labels-idx1-ubyte").unlink()
    assert faults(place) == [
        "train_images: expected one file train-images-idxN-ubyte, raw or .gz, got 2",
        "test_labels: expected one file t10k-labels-idxN-ubyte, raw or .gz, got 0",
    ]


def test_what_is_no_archive_and_no_folder_is_refused(tmp_path: Path) -> None:
    text, absent = tmp_path / "text.npz", tmp_path / "absent.npz"
    text.write_text("not a zip file")
    start = "dataset: {}: expected an .npz file or a folder, got "
    assert faults(text) == [start.format(text) + "a file that cannot be read as one"]
    assert faults(absent) == [start.format(absent) + "nothing there"]
    assert faults(tmp_path / ("x" * 300) / "a.npz")[0].endswith("cannot be read as one: File name too long")
    assert "a file that cannot be read as one" in faults(Path("~nobody-of-this-name/a.npz"))[0]


def test_the_limit_is_below_two_gigabytes() -> None:
    assert own.MAX_BYTES < 2 * 10**9
