"""Labels of marks that meet neither one another nor a mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

_RADII = (5.0, 9.0, 14.0, 20.0, 27.0)  # points from a mark to the edge of its label
_NUM_ANGLES = 16
_NEAR = 5.0  # beyond this distance a line leads from the mark to its label
_MARK = 3.0  # half the size of a mark, in points


class Label(NamedTuple):
    """A text for the mark at (x, y), in the mark's colour."""

    x: float
    y: float
    text: str
    colour: str


def place_labels(axes: Axes, labels: Sequence[Label], *, fontsize: str = "small") -> None:
    """Write the labels of marks that are drawn already, each at the nearest place that is free.

    Call it when everything else is drawn and all limits are set: the layout is fixed by it.
    """
    figure = axes.figure.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # a label does not move the axes that it is placed in
    pixels = figure.dpi / 72
    marks = axes.transData.transform([(label.x, label.y) for label in labels])
    taken = [Bbox.from_bounds(x - _MARK * pixels, y - _MARK * pixels, 2 * _MARK * pixels, 2 * _MARK * pixels)
             for x, y in marks]  # fmt: skip
    room = axes.get_window_extent()
    for (x, y), label in zip(marks, labels, strict=True):
        text = axes.annotate(label.text, (label.x, label.y), xytext=(0, 0), textcoords="offset points", ha="center",
                             va="center", fontsize=fontsize, color=label.colour)  # fmt: skip
        size = text.get_window_extent()
        offset = _free_offset((x, y), size, taken, room, pixels)
        text.set_position((offset[0], offset[1]))
        at = np.array([x, y]) + np.array(offset) * pixels
        taken.append(Bbox.from_bounds(at[0] - size.width / 2, at[1] - size.height / 2, size.width, size.height))
        edge = np.hypot(*offset) - size.width / 2 / pixels
        if edge > _NEAR + _MARK:
            axes.annotate("", (label.x, label.y), xytext=(offset[0], offset[1]), textcoords="offset points",
                          arrowprops={"arrowstyle": "-", "color": label.colour, "linewidth": 0.5, "shrinkA": 5,
                                      "shrinkB": 3})  # fmt: skip


def _free_offset(
    mark: tuple[float, float], size: Bbox, taken: Sequence[Bbox], room: Bbox, pixels: float
) -> tuple[float, float]:
    """Return the offset in points of a label's middle: the nearest free one, or the one that covers least."""
    best, least = (0.0, 0.0), float("inf")
    for radius in _RADII:
        for angle in np.arange(_NUM_ANGLES) * 2 * np.pi / _NUM_ANGLES:
            direction = np.array([np.cos(angle), np.sin(angle)])
            offset = direction * (radius + np.array([size.width, size.height]) / 2 / pixels)
            middle = np.array(mark) + offset * pixels
            box = Bbox.from_bounds(middle[0] - size.width / 2, middle[1] - size.height / 2, size.width, size.height)
            outside = box.width * box.height - _common(box, room)
            covered = outside + sum(_common(box, other) for other in taken)
            if covered < least - 1e-9:
                best, least = (float(offset[0]), float(offset[1])), covered
        if least <= 0:
            return best
    return best


def _common(one: Bbox, other: Bbox) -> float:
    """Return the area that two boxes share, in square pixels."""
    shared = Bbox.intersection(one, other)
    return 0.0 if shared is None else float(shared.width * shared.height)
