"""From configurations and seeds to trials, each with its content key, and how long they will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from subtx_toy.errors import InputError
from subtx_toy.settings.base import Settings, run_ids
from subtx_toy.settings.limits import MAX_TRIALS
from subtx_toy.store import Store
from subtx_toy.store.results import config_costs
from subtx_toy.sweep.trial import Trial
from subtx_toy.wording import counted

if TYPE_CHECKING:
    from subtx_toy.data.dataset import Progress, Report


def check_trials(num_configs: int, num_seeds: int) -> None:
    """Refuse more trials than one plan may have, before any of them is made."""
    if (num := num_configs * num_seeds) > MAX_TRIALS:
        raise InputError(
            f"trials: expected at most {MAX_TRIALS}, got {num}: "
            f"{counted(num_configs, 'configuration')} with {counted(num_seeds, 'seed')}"
        )


def schedule(
    configs: Sequence[Settings],
    seeds: Sequence[int],
    *,
    data_dir: Path | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
) -> list[Trial]:
    """Return all trials, seed by seed, so that a sweep that is stopped has whole seeds; obtain their data."""
    from subtx_toy.data import load  # numpy, which a list of what is stored does not need

    check_trials(len(configs), len(seeds))
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


@dataclass(frozen=True)
class Cost:
    """CPU seconds of some trials together, and in words what that is taken from."""

    cpu_seconds: float
    basis: str


def estimate(trials: Sequence[Trial], store: Store, *, swept: Sequence[str]) -> Cost | None:
    """Estimate the trials' cost from records alike, else from those that differ in ``swept`` only; None without any."""
    same: dict[str, list[float]] = defaultdict(list)
    similar: dict[str, list[float]] = defaultdict(list)
    kinds = {type(trial.config) for trial in trials}
    for content, cost, num in config_costs(store):
        settings = {name: value for name, value in content.items() if name != "protocol"}
        for kind in kinds:
            if kind.source == content.get("protocol", "") and settings.keys() <= kind.model_fields.keys():
                config = kind.model_construct(**settings)  # fills in settings that are newer than the record
                same[_key(config, ())] += [cost, num]
                similar[_key(config, swept)] += [cost, num]
    total, num_similar = 0.0, 0
    keys: dict[int, tuple[str, str]] = {}  # by configuration: many trials share one
    for trial in trials:
        at = id(trial.config)
        if at not in keys:
            keys[at] = _key(trial.config, ()), _key(trial.config, swept)
        exact, near = keys[at]
        values = same.get(exact) or similar.get(near)
        if values is None:
            return None
        num_similar += exact not in same
        total += sum(values[::2]) / sum(values[1::2])
    if num_similar:
        return Cost(total, f"{num_similar} of the trials taken from records that differ in {', '.join(swept)}")
    return Cost(total, "from records of the same configurations")


def _key(config: Settings, swept: Sequence[str]) -> str:
    return repr({name: value for name, value in config if name not in swept})
