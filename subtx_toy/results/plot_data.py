"""What a figure of stored trials shows: lines of means along one setting, or a map over two."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subtx_toy.errors import InputError
from subtx_toy.results.cells import Cell, order
from subtx_toy.results.presentation import setting_text
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition, DistillationSweep
from subtx_toy.settings.messages import nearest
from subtx_toy.settings.published import full_name

MAX_LINES = 12
"""Lines of one figure that can still be told apart."""

_LOG_RATIO = 20.0  # an axis of positive numbers is logarithmic from this ratio of its ends on


@dataclass(frozen=True)
class Line:
    """The cells of one line in the order of the axis; ``label`` names the settings that all of them share."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Layout:
    """Cells laid out along a setting.

    Attributes:
        metric: what the cells are means of.
        x: the setting along the axis.
        values: its values in order.
        scale: ``linear``, ``log``, or ``category`` where a value is no number.
        lines: one for each combination of the other settings.
        published: means and half-widths of 95 % at values of ``x``.
    """

    metric: str
    x: str
    values: tuple[object, ...]
    scale: str
    lines: tuple[Line, ...]
    published: tuple[tuple[object, float, float], ...] = ()

    def place(self, value: object) -> float:
        """Return where a value of ``x`` stands on the axis."""
        if self.scale == "category":
            return float(self.values.index(value))
        assert isinstance(value, int | float)
        return float(value)


def lay_out(
    cells: Sequence[Cell], *, x: str | None = None, by: str | None = None, published: Sequence[Any] = ()
) -> Layout:
    """Lay out cells of one metric along the setting ``x``, by default the one with most values.

    One line for each value of ``by``; settings that vary beside these make lines of their own, never a mean.

    Raises:
        InputError: if nothing varies, a name is none of the settings that vary, or there would be too many lines.
    """
    varying = _varying(cells)
    if not varying:
        raise InputError("x: expected configurations that differ in a setting, got one; name an axis of a sweep")
    x = x or max(varying, key=lambda name: (len(varying[name]), -list(varying).index(name)))
    for name, wanted in (("x", x), ("by", by)):
        if wanted is not None and wanted not in varying:
            raise InputError(f"{name}: expected one of {', '.join(varying)}, got {wanted!r}{nearest(wanted, varying)}")
    if by == x:
        raise InputError(f"by: expected another setting than that of the axis, got {by!r}")
    rest = [*([by] if by else []), *(name for name in varying if name not in (x, by))]
    groups: dict[str, list[Cell]] = {}
    ranked = sorted(cells, key=lambda cell: [order(cell.axes.get(name)) for name in (*rest, x)])
    for cell in ranked:
        groups.setdefault(", ".join(f"{name}={setting_text(cell.axes.get(name))}" for name in rest), []).append(cell)
    if len(groups) > MAX_LINES:
        raise InputError(
            f"by: expected at most {MAX_LINES} lines, got {len(groups)} of {', '.join(rest)}; choose some by --where"
        )
    values = tuple(sorted(varying[x], key=order))
    lines = tuple(Line(label, tuple(found)) for label, found in groups.items())
    return Layout(cells[0].metric, x, values, _scale(values), lines, tuple(published))


def published_points(
    definition: Definition | None, configs: Sequence[Settings], *, metric: str, x: str
) -> list[tuple[object, float, float]]:
    """Return the published means of a metric, with half-widths of 95 % (nan if unknown), of exactly these settings."""
    if not isinstance(definition, DistillationSweep) or definition.published is None:
        return []
    known = {repr(config) for config in configs}
    found = []
    for point in definition.published.points:
        config = definition.point(point.at)
        if repr(config) in known:
            for name, value in point.values.items():
                if full_name(name) == metric:
                    half = 1.96 * value[1] if len(value) > 1 else math.nan
                    found.append((getattr(config, x), value[0], half))
    return found


def heat_map(
    cells: Sequence[Cell], *, x: str | None = None, by: str | None = None
) -> tuple[str, str, list[object], list[object], Mapping[tuple[object, object], Cell]]:
    """Return the settings of columns and rows, their values, and the cell of each pair.

    Raises:
        InputError: if other than two settings vary, or a name is none of them.
    """
    layout = lay_out(cells, x=x, by=by)
    others = [name for name in _varying(cells) if name != layout.x]
    if len(others) != 1:
        raise InputError(
            f"heat: expected two settings that vary, got {', '.join([layout.x, *others])}; fix the others by --where"
        )
    columns = {cell.axes[layout.x]: None for cell in cells}
    rows = {cell.axes[others[0]]: None for cell in cells}
    found = {(cell.axes[layout.x], cell.axes[others[0]]): cell for cell in cells}
    return layout.x, others[0], sorted(columns, key=order), sorted(rows, key=order), found


def importance(cells: Sequence[Cell]) -> dict[str, float]:
    """Return for each setting the share of the variance of the means that its main effect explains, largest first.

    The variance between the averages over each value of a setting, over the variance of all means (Saltelli et al.
    2010, Comput. Phys. Commun. 181, 259-270, first-order index on the grid that was run). In [0, 1]; the shares of a
    full grid add up to at most 1, the rest are interactions and noise. On an unbalanced grid settings share effects.
    """
    kept = [cell for cell in cells if math.isfinite(cell.estimate.mean)]
    means = [cell.estimate.mean for cell in kept]
    if len(kept) < 2 or max(means) == min(means):
        return dict.fromkeys(_varying(cells), 0.0)
    centre = math.fsum(means) / len(means)
    total = math.fsum((value - centre) ** 2 for value in means)
    found = {}
    for name in _varying(cells):
        groups: dict[object, list[float]] = {}
        for cell in kept:
            groups.setdefault(cell.axes.get(name), []).append(cell.estimate.mean)
        between = math.fsum(len(one) * (math.fsum(one) / len(one) - centre) ** 2 for one in groups.values())
        found[name] = between / total
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _varying(cells: Sequence[Cell]) -> dict[str, dict[object, None]]:
    values: dict[str, dict[object, None]] = {}
    for cell in cells:
        for name, value in cell.axes.items():
            values.setdefault(name, {})[value] = None
    return {name: found for name, found in values.items() if len(found) > 1}


def _scale(values: Sequence[object]) -> str:
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        return "category"
    return "log" if min(numbers) > 0 and max(numbers) / min(numbers) >= _LOG_RATIO else "linear"
