"""What a run is asked for: its settings, the points of its grid, its seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from subtx_toy.errors import InputError
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.seeds import seed_list


def choose(
    definition: Definition, settings: Mapping[str, Any], seeds: str | int | Iterable[int] | None, *, quick: bool
) -> tuple[Settings, list[Settings], tuple[int, ...]]:
    """Return the settings before the grid, all configurations, and the seeds of a run, as ``run`` chooses them."""
    definition = definition.quickened() if quick else definition
    base, configs, chosen = definition.config, list[Settings](), tuple[int, ...]()
    several = [name for name, value in settings.items() if _is_several(definition, name, value)]
    problems = [_points_to_sweep(definition, name, settings[name]) for name in several]
    with InputError.collected(problems):
        if not several:
            base = definition.config.override(settings)
            configs = definition.configs(settings)
            definition.check_distinguishable(configs)
    with InputError.collected(problems):
        chosen = seed_list(definition.seeds if seeds is None else seeds)
    InputError.gather(problems)
    return base, configs, chosen


def _points_to_sweep(definition: Definition, name: str, value: object) -> str:
    listed = value if isinstance(value, str) else ",".join(map(str, cast(Iterable[object], value)))
    command = f"subtx-toy sweep {definition.name} {name}={listed}"
    return f"{name}: expected one value, got several; for several, use `{command}`"


def _is_several(definition: Definition, name: str, value: object) -> bool:
    """Return whether a value is a list, or a text such as ``16,32`` for a setting that takes no text of its own."""
    field = type(definition.config).model_fields.get(name)
    listed = isinstance(value, str) and "," in value and field is not None and field.annotation is not str
    return listed or isinstance(value, list | tuple | set | range)
