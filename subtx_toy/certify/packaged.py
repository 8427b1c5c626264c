"""The packaged targets: problems that their files fix in every detail."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).with_name("problems")


def names() -> list[str]:
    """Return the names that stand for a file of the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def path_of(reference: str) -> str:
    """Return the file of a packaged name, or the reference as it is."""
    return str(_FOLDER / f"{reference}.toml") if reference in names() else reference
