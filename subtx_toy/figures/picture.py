"""A figure that a notebook shows by itself, whatever backend of matplotlib is on."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


class Picture(Figure):
    """A figure of the package: drawn without pyplot, so that no window opens and nothing has to be closed."""

    def _repr_png_(self) -> bytes:
        """Return the picture as PNG, at the resolution of the figure; IPython asks for it."""
        return png(self)


def png(figure: Figure) -> bytes:
    """Return any figure as PNG, at its own resolution."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()
