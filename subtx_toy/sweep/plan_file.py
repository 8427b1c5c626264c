"""A plan as a TOML file: an experiment, seeds, and axes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from subtx_toy.errors import InputError
from subtx_toy.settings.messages import nearest, quoted
from subtx_toy.settings.toml_file import read_toml

_KINDS: dict[str, tuple[type, str]] = {
    "experiment": (str, "a text"),
    "seeds": (str, 'a text such as "0:10"'),
    "sample": (int, "an integer"),
    "sample_seed": (int, "an integer"),
    "axes": (dict, "a table"),
    "zip": (list, "tables, [[zip]]"),
}


def read_file(experiment: str) -> dict[str, object] | None:
    """Return the content of a TOML file, of a plan or of an experiment; None for the name of a packaged one."""
    path = Path(experiment)
    return read_toml(path, what="experiment") if path.suffix == ".toml" else None


def check_plan(path: str, values: Mapping[str, object]) -> None:
    """Refuse the content of a plan's file that has other keys, or other kinds of values."""
    faults = []
    for key, value in values.items():
        if key not in _KINDS:
            faults.append(f"{path}: {key}: unknown key{nearest(key, _KINDS)}")
        elif type(value) is not _KINDS[key][0]:
            faults.append(f"{path}: {key}: expected {_KINDS[key][1]}, got {quoted(value)}")
    InputError.gather(faults)


def file_axes(path: str, values: Mapping[str, object]) -> list[tuple[str | tuple[str, ...], object]]:
    """Return the axes of a plan's file: a setting with its values, or several with their rows."""
    axes, zips = values.get("axes", {}), values.get("zip", [])
    assert isinstance(axes, dict)
    assert isinstance(zips, list)
    found: list[tuple[str | tuple[str, ...], object]] = list(axes.items())
    for table in zips:
        if not isinstance(table, dict) or len(table) < 2:
            raise InputError(f"{path}: zip: expected a table of two or more settings, got {quoted(table)}")
        columns = [value if isinstance(value, list) else [value] for value in table.values()]
        if len({len(column) for column in columns}) != 1:
            raise InputError(f"{path}: zip: expected lists of one length for {', '.join(table)}")
        found.append((tuple(table), list(zip(*columns, strict=True))))
    return found
