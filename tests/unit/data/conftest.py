"""A tiny data set of fixed content, so that no test needs a download."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from subtx_toy.data import idx
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.data.idx import IdxFile
from subtx_toy.data.published import PublishedSet, Source, SourceError
from subtx_toy.seeding import generator

STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SHAPES = ((30, 28, 28), (30,), (20, 28, 28), (20,))


@dataclass
class Tiny:
    """The tiny set, and a source of it that counts how often it is asked."""

    spec: PublishedSet
    contents: dict[str, bytes]
    asked: list[str] = field(default_factory=list)

    def with_sources(self, *sources: Source) -> PublishedSet:
        return replace(self.spec, sources=sources)

    def source(self, changed: Mapping[str, bytes] | None = None, *, name: str = "somewhere") -> Source:
        def obtain(files: tuple[IdxFile, ...], report: Report, progress: Progress) -> dict[str, bytes]:
            self.asked.append(name)
            progress(name, 4, 4, "files")
            return {**self.contents, **(changed or {})}

        return Source(name, obtain)

    def dead_source(self, why: str, *, name: str = "dead") -> Source:
        def obtain(files: tuple[IdxFile, ...], report: Report, progress: Progress) -> dict[str, bytes]:
            self.asked.append(name)
            raise SourceError(why)

        return Source(name, obtain)

    def write(self, folder: Path, *, packed: bool = False, changed: Mapping[str, bytes] | None = None) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for stem, content in {**self.contents, **(changed or {})}.items():
            if packed:
                (folder / f"{stem}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / stem).write_bytes(content)
        return folder


@pytest.fixture
def cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUBTX_TOY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SUBTX_TOY_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def tiny(cache_dir: Path) -> Tiny:
    rng = generator(0, "tests", "tiny data set")
    contents, files = {}, []
    for stem, shape in zip(STEMS, SHAPES, strict=True):
        top = 256 if len(shape) == 3 else 10
        contents[stem] = idx.encode(rng.integers(top, size=shape).astype(np.uint8))
        files.append(IdxFile(stem, shape, hashlib.sha256(contents[stem]).hexdigest()))
    train_images, train_labels, test_images, test_labels = files
    made = Tiny(
        PublishedSet("mnist", (train_images, train_labels, test_images, test_labels), (), "ask a friend"), contents
    )
    made.spec = made.with_sources(made.source())
    return made
