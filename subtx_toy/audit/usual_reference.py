"""The benign fine-tunes that a file is compared with where none are given: packaged, from the cache, or trained."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from subtx_toy.audit import reference
from subtx_toy.audit.reference import fingerprint, make_reference, read_reference, save_reference
from subtx_toy.channel.checkpoints import Checkpoint
from subtx_toy.channel.packaged_base import FOLDER
from subtx_toy.data import Dataset, cache
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.errors import InputError
from subtx_toy.files.checksum import sha256_of
from subtx_toy.problem.params import Params
from subtx_toy.settings.base import RESULTS_VERSION
from subtx_toy.wording import counted

PACKAGED_FILE = FOLDER / "reference.safetensors"
"""The benign fine-tunes of the packaged base."""

CHECKSUM = "reference_sha256"
"""In the provenance of the packaged base: the checksum of the file of its fine-tunes."""

NUM_PACKAGED = 20
"""Fine-tunes to compare with; half as many more are for directions."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Benign fine-tunes, where they are from, and the checksum of their file; None if that is in the cache."""

    nets: Sequence[Params]
    source: str
    sha256: str | None = None


def ensemble_version() -> str:
    """Return what a kept ensemble has to be made by."""
    return f"{RESULTS_VERSION}.{reference.ENSEMBLE_VERSION}"


def usual_reference(
    base: Checkpoint, dataset: Dataset, num: int, *, report: Report | None = None, progress: Progress | None = None
) -> Ensemble:
    """Return ``num`` fine-tunes of a base and half as many more for directions: packaged, cached or trained.

    ``report`` is called with the reason where those of the packaged base cannot be used.
    """
    if CHECKSUM in base.provenance:
        try:
            return packaged_reference(base, dataset, num)
        except InputError as error:
            if report is not None:
                report(f"the packaged reference is not used, another is made: {error}")
    return Ensemble(_kept_reference(base, dataset, num + num // 2, progress=progress), "made for this base, and cached")


def packaged_reference(base: Checkpoint, dataset: Dataset, num: int) -> Ensemble:
    """Read the fine-tunes of the packaged base.

    They are those that would be trained here, up to rounding. A few pixels that another version of a drawing library
    rounds differently are no reason to train them again.

    Raises:
        InputError: if there are not ``num`` of them, their file is missing or was changed, or they are of another
            base, version or data set.
    """
    if num != NUM_PACKAGED:
        raise InputError(f"it has {NUM_PACKAGED} fine-tunes to compare with, and {num} are asked for")
    found = sha256_of(PACKAGED_FILE)
    if found is None:
        raise InputError(f"{PACKAGED_FILE}: no such file")
    if found != base.provenance[CHECKSUM]:
        expected = str(base.provenance[CHECKSUM])[: len(found)]
        raise InputError(f"{PACKAGED_FILE}: expected the checksum {expected}, got {found}")
    nets, metadata = read_reference(PACKAGED_FILE, base)
    wanted = ensemble_metadata(dataset)
    InputError.gather(
        f"{PACKAGED_FILE}: {name}: expected {value}, got {metadata.get(name)}"
        for name, value in wanted.items()
        if metadata.get(name) != value
    )
    return Ensemble(nets, "packaged", found)


def ensemble_metadata(dataset: Dataset) -> dict[str, str]:
    """Return what decides an ensemble of a base, as the metadata of its file."""
    images = f"{dataset.name}, {len(dataset.train_images)} and {counted(len(dataset.test_images), 'image')}"
    return {"ensemble": ensemble_version(), "images": images}


def _kept_reference(base: Checkpoint, dataset: Dataset, num: int, *, progress: Progress | None) -> list[Params]:
    name = f"reference-{fingerprint(base.params)}-{dataset.sha256[:16]}-{num}-{ensemble_version()}.safetensors"
    path = cache.root() / "numbers" / name
    if path.exists():
        with contextlib.suppress(InputError):  # damaged: trained again
            return read_reference(path, base)[0]
    size = sum(value.numel() * value.element_size() for value in base.params.values())
    cache.ensure_writable(path.parent, num_bytes=num * size)  # before minutes of work, not after
    nets = make_reference(base.model, base.params, dataset, num=num, seed=0, progress=progress)
    save_reference(path, base.params, nets)
    return read_reference(path, base)[0]
