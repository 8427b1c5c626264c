"""The packaged experiments by name, read without checking them, so that a list of them costs no heavy import."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

_PACKAGED = Path(__file__).parents[1] / "_experiments"  # in an installed wheel
_CHECKOUT = Path(__file__).parents[2] / "experiments"  # in a checkout, where the package is not built
FOLDER = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
"""Where the files are."""


class Packaged(NamedTuple):
    """One packaged experiment: its question, the minutes of a full run on two cores, and the source it repeats."""

    name: str
    question: str
    minutes: float | None
    source: str | None


def names() -> tuple[str, ...]:
    """Return the names of the packaged experiments."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def experiments() -> list[Packaged]:
    """Return the packaged experiments, those that take the fewest minutes first."""
    found = []
    for name in names():
        values: dict[str, Any] = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
        source = values.get("published", {}).get("source")
        found.append(Packaged(name, values["question"], values.get("minutes"), source))
    return sorted(found, key=lambda one: (one.minutes is None, one.minutes, one.name))
