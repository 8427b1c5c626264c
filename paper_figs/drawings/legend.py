"""One legend of several panels."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure


def legend_above(figure: Figure, handles: Sequence[Artist], *, title: str, ncols: int = 3) -> None:
    """Put one legend of several panels above them all, its title saying what the marks are."""
    figure.legend(
        handles=handles, loc="outside upper center", ncols=ncols, fontsize="small", title=title,
        title_fontsize="small",
    )  # fmt: skip
