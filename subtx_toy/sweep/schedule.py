"""From configurations and seeds to trials, each with its content key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from subtx_toy.data import load
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.errors import InputError
from subtx_toy.settings.base import Settings, run_ids
from subtx_toy.sweep.trial import Trial


def schedule(
    configs: Sequence[Settings],
    seeds: Sequence[int],
    *,
    data_dir: Path | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
) -> list[Trial]:
    """Return the trials of every configuration with every seed, all configurations of a seed before the next seed.

    So a sweep that is stopped half-way has half the seeds everywhere. The data sets are obtained where they are
    missing, because their checksums are part of the keys.
    """
    notes: dict[str, None] = {}
    for config in configs:
        notes |= {
            f"{name} {getattr(config, name)}: trained by the autograd route, which is slower": None
            for name in config.by_autograd
        }
        for name in config.own_objects:
            config.load(name)  # what cannot be imported stops here, and not once per trial
    if report is not None:
        for note in notes:
            report(note)
    loaded: dict[tuple[str, int, int], tuple[str, int, tuple[int, ...]]] = {}
    keys = []
    for config in configs:
        wanted = (config.dataset, config.num_train, config.num_test)
        if wanted not in loaded:
            name, num_train, num_test = wanted
            found = load(
                name, num_train=num_train, num_test=num_test, data_dir=data_dir, report=report, progress=progress
            )
            loaded[wanted] = found.sha256, len(found.train_images), found.image_shape
        sha256, num_images, image_shape = loaded[wanted]
        InputError.gather(config.data_faults(num_train=num_images, image_shape=image_shape))
        keys.append((config, sha256, run_ids(config, seeds=seeds, dataset_sha256=sha256)))
    trials = [
        Trial(ids[at], config, seed, sha256, data_dir) for at, seed in enumerate(seeds) for config, sha256, ids in keys
    ]
    return list({trial.run_id: trial for trial in trials}.values())  # two paths can lead to the same images
