"""The oldest versions that pyproject.toml allows, as a file of constraints: ``make lower-bounds`` tests with them."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
EXTRAS = ("dask", "export", "test")
"""What the tests use besides the dependencies themselves."""

PARTNERS = {"pyparsing": "3.1"}
"""Of packages that only the oldest of ours need: matplotlib 3.9 uses names of which pyparsing 3.3 warns."""


def lower_bounds(text: str, *, extras: tuple[str, ...] = EXTRAS) -> dict[str, str]:
    """Return the lowest version of every dependency that a project file names.

    >>> lower_bounds('[project]\\ndependencies = ["numpy>=2.0"]\\n[project.optional-dependencies]\\n', extras=())
    {'numpy': '2.0'}
    """
    project = tomllib.loads(text)["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    return dict(_bounds(wanted))


def _bounds(wanted: list[str]) -> Iterator[tuple[str, str]]:
    for one in wanted:
        found = re.fullmatch(r"([\w.-]+)>=([\d.]+)", one)
        if found is None:
            raise ValueError(f"expected NAME>=VERSION, got {one!r}")
        yield found[1], found[2]


def main(overrides: list[str]) -> None:
    """Print the constraints; ``NAME==VERSION`` replaces a bound, for a version that cannot be had here."""
    bounds = lower_bounds(PROJECT.read_text(encoding="utf-8"))
    bounds |= PARTNERS | dict(one.split("==") for one in overrides)
    sys.stdout.writelines(f"{name}=={bound}\n" for name, bound in sorted(bounds.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
