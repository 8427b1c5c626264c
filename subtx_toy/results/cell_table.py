"""Cells for people, for programs and for files: a table, a document, columns; and their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from subtx_toy.errors import InputError
from subtx_toy.results.cells import Cell, order
from subtx_toy.results.presentation import Table, interval_text, mean_document, setting_text
from subtx_toy.settings.messages import nearest
from subtx_toy.wording import counted

_MAX_DECIMALS = 6  # and digits before the point; beyond them powers of ten are written
NO_CELLS = "no such trials are stored"
"""What is said where nothing was selected."""


def document(cell: Cell) -> dict[str, Any]:
    """Return a cell as JSON values."""
    return {
        "axes": cell.axes, "metric": cell.metric, **mean_document(cell.estimate), "not_finite": cell.not_finite,
        "diverged": cell.diverged,
    }  # fmt: skip


def columns(cells: Sequence[Cell]) -> dict[str, list[object]]:
    """Return one row a cell: the axes, metric, n, mean, half-width and ends of the 95 % interval, seeds left out."""
    rows = [
        {
            **cell.axes, "metric": cell.metric, "n": cell.estimate.n, "mean": cell.estimate.mean,
            "ci95": cell.estimate.ci95, "low": cell.estimate.interval.low, "high": cell.estimate.interval.high,
            "not_finite": cell.not_finite, "diverged": cell.diverged,
        }
        for cell in cells
    ]  # fmt: skip
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else [])}


def table(cells: Sequence[Cell]) -> Table:
    """Return one row a cell; of a cell with odd seeds also in how many the arm diverged or the value is not finite."""
    odd = {
        "diverged": [cell.diverged for cell in cells],
        "not finite": [max(0, cell.not_finite - cell.diverged) for cell in cells],
    }
    counts = {name: numbers for name, numbers in odd.items() if any(numbers)}
    header = [*cells[0].axes, "metric", "n", *counts, "mean", "95 % interval"]
    digits = {
        name: _digits([cell.estimate.mean for cell in cells if cell.metric == name])
        for name in dict.fromkeys(cell.metric for cell in cells)
    }
    rows = []
    for index, cell in enumerate(cells):
        found, form = cell.estimate, digits[cell.metric]
        mean = f"{found.mean:{form}}" if found.n else "none"
        numbers = [*(str(one[index]) for one in counts.values()), mean, interval_text(found, form)]
        rows.append([*map(setting_text, cell.axes.values()), cell.metric, str(found.n), *numbers])
    return Table(header, rows, num_settings=len(cells[0].axes))


def _digits(means: Sequence[float]) -> str:
    """Return one format for all means of a metric: three digits of the largest, and two of the smallest.

    >>> _digits([0.15, 0.1644]), _digits([0.9, 0.0004]), _digits([150.0, 16.44]), _digits([1e-9, 0.5])
    ('.3f', '.5f', '.0f', '.2e')
    """
    powers = [math.floor(math.log10(abs(mean))) for mean in means if mean and math.isfinite(mean)]
    if not powers:
        return ".3f"
    decimals = max(0, 2 - max(powers), 1 - min(powers))
    return f".{decimals}f" if decimals <= _MAX_DECIMALS and max(powers) < _MAX_DECIMALS else ".2e"


def conclusion(cells: Sequence[Cell]) -> str:
    """Say over how many configurations the first metric goes from where to where."""
    found = [cell.estimate for cell in cells if cell.metric == cells[0].metric and cell.estimate.n]
    if not found:
        return f"{cells[0].metric} has no finite value."
    low, high = min(one.mean for one in found), max(one.mean for one in found)
    seeds = sorted({one.n for one in found})
    over = ("" if len(seeds) == 1 else f"{seeds[0]} to ") + counted(seeds[-1], "seed")
    if len(found) == 1:
        return f"{cells[0].metric} is {low:.3g} on average over {over}."
    configurations = counted(len(found), "configuration")
    return f"{cells[0].metric} lies between {low:.3g} and {high:.3g} over {configurations}, {over} each."


def best(cells: Sequence[Cell], *, lowest: bool = False) -> list[Cell]:
    """Return the cells from the best on, cells without a finite value left out."""
    kept = [cell for cell in cells if cell.estimate.n and math.isfinite(cell.estimate.mean)]
    return sorted(kept, key=lambda cell: cell.estimate.mean if lowest else -cell.estimate.mean)


def best_conclusion(ranked: Sequence[Cell]) -> str:
    """Say which configuration is first, and that the best of many looks better than it is."""
    first = ranked[0]
    at = ", ".join(f"{name}={setting_text(value)}" for name, value in first.axes.items()) or "the only configuration"
    text = f"{first.metric} is best at {at}: {first.estimate.mean:.3g} over {counted(first.estimate.n, 'seed')}."
    if len(ranked) > 1:
        text += f" The best of {len(ranked)} means is too good on average: run it with other seeds to estimate it."
    return text


def sort_cells(cells: Sequence[Cell], name: str) -> list[Cell]:
    """Order cells by an axis, ``mean``, ``n`` or a metric; a minus in front turns the order round.

    Raises:
        InputError: if there is no such name.
    """
    wanted, down = name.removeprefix("-"), name.startswith("-")
    metrics = list(dict.fromkeys(cell.metric for cell in cells))
    known = [*dict.fromkeys(axis for cell in cells for axis in cell.axes), "mean", "n", *metrics]
    if cells and wanted not in known:
        raise InputError(f"sort: expected one of {', '.join(known)}, got {wanted!r}{nearest(wanted, known)}")
    means = {repr(cell.axes): cell.estimate.mean for cell in cells if cell.metric == wanted}

    def place(cell: Cell) -> tuple[bool, float, str]:
        if wanted in cell.axes:
            return order(cell.axes[wanted])
        if wanted == "n":
            return order(cell.estimate.n)
        value = means.get(repr(cell.axes), math.nan) if wanted in means_of else cell.estimate.mean
        return order(math.inf if math.isnan(value) else -value if down else value)

    means_of = set(metrics)
    is_axis = any(wanted in cell.axes for cell in cells) or wanted == "n"
    return sorted(cells, key=place, reverse=down and is_axis)
