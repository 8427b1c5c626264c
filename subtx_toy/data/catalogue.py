"""The data sets by name: load one, put one into the cache, see what there is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from subtx_toy.data import cache, drawn, own, published
from subtx_toy.data.dataset import Dataset, Progress, Report, assemble, combine, without_images
from subtx_toy.data.idx import IdxFile
from subtx_toy.data.published import PublishedSet
from subtx_toy.data.published_sets import FASHION, MNIST
from subtx_toy.errors import DataError
from subtx_toy.settings.datasets import WORDS, is_path
from subtx_toy.settings.messages import nearest

_PUBLISHED: dict[str, PublishedSet] = {"mnist": MNIST, "fashion": FASHION}


def available() -> tuple[str, ...]:
    """Return the names of the data sets.

    >>> available()
    ('glyphs', 'mnist', 'fashion')
    """
    return (drawn.NAME, *_PUBLISHED)


def load(
    name: str,
    *,
    num_train: int | None = None,
    num_test: int | None = None,
    data_dir: Path | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Return a data set by name, obtaining it on first use, or from a file of your own. Never another set in its place.

    ``mnist`` and ``fashion`` come from the user's own folder, else the cache, else the places listed in
    ``subtx_toy.data.published_sets``; ``glyphs`` are drawn, and kept in the cache. The arrays are read-only: copy them
    before they are given to ``torch.from_numpy``, which warns otherwise.

    Args:
        name: one of ``available()``, or the path of a data set of your own: see ``subtx_toy.data.own``; ``words``,
            for protocols that need no images, has none.
        num_train: how many training images to take, from the first; None for all (``glyphs``: 60,000). 60,000 also
            stands for all images of a smaller data set of your own.
        num_test: how many test images; None for all (``glyphs``: 10,000); 10,000 also stands for all of a smaller one.
        data_dir: a folder with the user's own IDX files, directly or in a sub-folder called ``name``; None
            for the one in the environment variable SUBTX_TOY_DATA. Not used for ``glyphs``.
        report: called with one line for each source that is tried.
        progress: called as ``progress(task, done, total, unit)`` during downloads and drawing.

    Raises:
        DataError: if the name or a number is wrong, the user's files are not exactly the published ones, a file of
            your own has a fault, or the data set cannot be obtained or cached.
    """
    report, progress = report or _ignore, progress or _ignore
    if name == WORDS:
        return without_images(name)
    if is_path(name):
        return own.load(Path(name), num_train=num_train, num_test=num_test, report=report)
    check(name)
    if name == drawn.NAME:
        arrays = drawn.read(*drawn.sizes(num_train, num_test), report=report, progress=progress)
    else:
        arrays = published.read(_PUBLISHED[name], data_dir=data_dir, report=report, progress=progress)
    return assemble(name, arrays, num_train=num_train, num_test=num_test)


def fetch(
    name: str,
    *,
    num_train: int | None = None,
    num_test: int | None = None,
    data_dir: Path | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
) -> Path:
    """Put a data set into the cache if it is not there yet, and return the folder of its raw IDX files.

    Arguments and errors are those of ``load``; the numbers are for ``glyphs`` only, other sets are kept whole.
    """
    folder = place(name, num_train=num_train, num_test=num_test)
    report, progress = report or _ignore, progress or _ignore
    if name == drawn.NAME:
        drawn.read(*drawn.sizes(num_train, num_test), report=report, progress=progress)
    else:
        published.fetch(_PUBLISHED[name], data_dir=data_dir, report=report, progress=progress)
    return folder


def place(name: str, *, num_train: int | None = None, num_test: int | None = None) -> Path:
    """Return the folder of the cache that a data set has, or would have."""
    check(name)
    if name == drawn.NAME:
        return drawn.place(*drawn.sizes(num_train, num_test))
    DataError.gather(
        f"{field}: expected no number for {name}, which is kept whole, got {number}"
        for field, number in (("num_train", num_train), ("num_test", num_test))
        if number is not None
    )
    return cache.root() / name


@dataclass(frozen=True)
class CatalogueEntry:
    """A data set, or one size of a drawn one; ``state`` is "cached", "not cached" or "damaged"."""

    name: str
    num_train: int
    num_test: int
    origin: str
    state: str
    path: Path
    sha256: str | None


def entries() -> tuple[CatalogueEntry, ...]:
    """Return all data sets and all cached sizes of ``glyphs``, after checking what is cached."""
    default = drawn.place(*drawn.sizes(None, None))
    folders = sorted({default, *(path.parent for path in default.parent.glob(f"v*/{drawn.MANIFEST}"))})
    glyphs = [_entry(drawn.NAME, "drawn from matplotlib's fonts", path, drawn.manifest(path)) for path in folders]
    whole = [
        _entry(name, ", ".join(source.name for source in spec.sources), cache.root() / name, spec.files)
        for name, spec in _PUBLISHED.items()
    ]
    return (*glyphs, *whole)


def other_sizes(found: Iterable[CatalogueEntry]) -> tuple[CatalogueEntry, ...]:
    """Return the sound entries of drawn data at other sizes than the full one, which any test or quick run adds."""
    full = drawn.sizes(None, None)
    return tuple(
        one
        for one in found
        if one.name == drawn.NAME and one.state == "cached" and (one.num_train, one.num_test) != full
    )


def sizes_text(found: Iterable[CatalogueEntry]) -> str:
    """Write the sizes of entries on one line, the smallest first.

    >>> from pathlib import Path
    >>> sizes_text([CatalogueEntry("glyphs", 1500, 300, "drawn", "cached", Path(), None)])
    '1500 and 300'
    """
    sizes = sorted((one.num_train, one.num_test) for one in found)
    return ", ".join(f"{num_train} and {num_test}" for num_train, num_test in sizes)


def check(name: str) -> None:
    """Raise a DataError with the known names and the nearest one unless there is a data set of this name."""
    if name not in available():
        hint = nearest(name.lower(), available(), cutoff=0.4)
        raise DataError(f"data set: expected one of {', '.join(available())}, got {name!r}{hint}")


def _entry(name: str, origin: str, folder: Path, files: tuple[IdxFile, ...] | None) -> CatalogueEntry:
    """Describe a cached folder; ``files`` are None if its manifest is missing or damaged."""
    num_train, num_test = (files[0].shape[0], files[-1].shape[0]) if files else drawn.sizes(None, None)
    state, sha256 = "damaged" if folder.is_dir() else "not cached", None
    if files and isinstance(cache.inspect(folder, files), dict):
        state, sha256 = "cached", combine(file.sha256 for file in files)
    return CatalogueEntry(name, num_train, num_test, origin, state, folder, sha256)


def _ignore(*_values: object) -> None:
    """Take a message or a progress call that nobody wants."""
