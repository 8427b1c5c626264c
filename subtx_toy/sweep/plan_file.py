"""A plan as a TOML file: an experiment, seeds, and axes."""

from __future__ import annotations

import tomllib
from pathlib import Path

from subtx_toy.errors import InputError
from subtx_toy.settings.messages import nearest
from subtx_toy.sweep.axes import written


def read_plan_file(experiment: str) -> dict[str, object] | None:
    """Return the content of the TOML file of a plan, or None where ``experiment`` is an experiment's."""
    path = Path(experiment)
    if path.suffix != ".toml":
        return None
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # told by whoever reads it as an experiment
    if "experiment" not in values:
        return None
    kinds: dict[str, type] = {
        "experiment": str, "seeds": str, "sample": int, "sample_seed": int, "axes": dict, "zip": list,
    }  # fmt: skip
    InputError.gather(
        f"{path}: {key}: unknown key{nearest(key, kinds)}"
        if key not in kinds
        else f"{path}: {key}: expected {kinds[key].__name__}, got {value!r}"
        for key, value in values.items()
        if key not in kinds or type(value) is not kinds[key]
    )
    return values


def axis_words(values: dict[str, object]) -> list[str]:
    """Write the axes of a plan's file as words, which are read and checked in one place."""
    axes, zips = values.get("axes", {}), values.get("zip", [])
    assert isinstance(axes, dict)
    assert isinstance(zips, list)
    words = [f"{name}={_listed(value)}" for name, value in axes.items()]
    for table in zips:
        columns = [value if isinstance(value, list) else [value] for value in table.values()]
        if len({len(column) for column in columns}) != 1:
            raise InputError(f"zip: expected lists of one length for {', '.join(table)}")
        rows = [":".join(map(written, row)) for row in zip(*columns, strict=True)]
        words.append(f"zip:{':'.join(table)}={','.join(rows)}")
    return words


def _listed(value: object) -> str:
    """Write the values of an axis; a text alone is the right side of a word already."""
    if isinstance(value, str):
        return value
    return ",".join(map(written, value if isinstance(value, list) else [value]))
