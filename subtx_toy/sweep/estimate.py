"""How long trials will take, from stored records of trials like them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from subtx_toy.settings.base import Settings
from subtx_toy.store import Store
from subtx_toy.store.results import config_costs
from subtx_toy.sweep.trial import Trial


@dataclass(frozen=True)
class Cost:
    """CPU seconds of some trials together, and in words what that is taken from."""

    cpu_seconds: float
    basis: str


def estimate(trials: Sequence[Trial], store: Store, *, swept: Sequence[str]) -> Cost | None:
    """Estimate what trials cost, or return None where nothing like them is stored.

    A trial costs the mean of its configuration's records; where it has none, the mean of those that differ from it in
    the ``swept`` settings only.
    """
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
