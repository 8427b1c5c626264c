"""Every figure of the package is one that a notebook shows by itself."""

from __future__ import annotations

from pathlib import Path

import subtx_toy
from subtx_toy.figures.picture import Picture


def test_a_notebook_is_given_a_png() -> None:
    figure = Picture(figsize=(1, 1))
    figure.subplots()
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_every_drawing_is_made_as_such_a_figure() -> None:
    folder = Path(subtx_toy.__file__).parent / "figures"
    drawn = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    assert [name for name, text in drawn.items() if "= Figure(" in text] == []
    assert sum("= Picture(" in text for text in drawn.values()) >= 5
