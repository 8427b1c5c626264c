"""Figures of what is stored: any metric against any setting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.results import stored
from subtx_toy.errors import InputError
from subtx_toy.results import cell_table
from subtx_toy.results.cells import Cell, summarize
from subtx_toy.results.plot_data import importance, lay_out, published_points
from subtx_toy.results.rows import Selection
from subtx_toy.settings import experiment_file
from subtx_toy.settings.datasets import dataset_title
from subtx_toy.settings.definitions import Definition
from subtx_toy.sweep.plan import Plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False, eq=False)
class Plot:
    """A figure with what it shows; a notebook shows the figure.

    Attributes:
        figure: a matplotlib figure.
        cells: the means in it.
        published: (value of the setting, mean, half-width) of every published point in it.
    """

    figure: Figure
    cells: tuple[Cell, ...]
    published: tuple[tuple[object, float, float], ...] = ()

    @property
    def conclusion(self) -> str:
        """The result in one sentence."""
        return cell_table.conclusion(self.cells)

    def __repr__(self) -> str:
        return self.conclusion

    def _repr_png_(self) -> bytes:
        from subtx_toy.figures.picture import png  # which loads matplotlib

        return png(self.figure)

    def document(self) -> dict[str, Any]:
        """Return the cells, the published points, and the share of variance of each setting, as JSON values."""
        return {
            "metric": self.cells[0].metric, "cells": [cell_table.document(cell) for cell in self.cells],
            "published": [{"at": at, "mean": mean, "half": half} for at, mean, half in self.published],
            "importance": importance(self.cells),
        }  # fmt: skip


def plot_results(
    experiment: str | Path | Definition | Plan | None = None,
    axes: Mapping[Any, object] | None = None,
    *,
    metric: str | None = None,
    x: str | None = None,
    by: str | None = None,
    heat: bool = False,
    parallel: bool = False,
    seeds: str | int | Iterable[int] | None = None,
    where: str | None = None,
    store: str | Path | None = None,
) -> Plot:
    """Draw stored trials: means over seeds with 95 % intervals against a setting.

    Args:
        experiment: as ``results`` takes it, and so are ``axes``, ``seeds``, ``where`` and ``store``.
        axes: as above.
        metric: a final metric; by default the accuracy of ``student_aux``, or the alignment.
        x: the setting along the axis; by default the one with most values.
        by: one line for each of its values; in a map, the rows.
        heat: a map over two settings instead of lines.
        parallel: every configuration as a line through its settings, with the share of variance of each.
        seeds: as above.
        where: as above.
        store: as above.

    Raises:
        InputError: if no such trials are stored, or the settings are not those that vary.
    """
    selection = stored(experiment, axes, seeds=seeds, store=store, where=where)
    return plot_selection(
        selection, experiment=experiment, metric=metric, x=x, by=by, heat=heat, parallel=parallel
    )  # fmt: skip


def plot_selection(
    selection: Selection,
    *,
    experiment: str | Path | Definition | Plan | None = None,
    metric: str | None = None,
    x: str | None = None,
    by: str | None = None,
    heat: bool = False,
    parallel: bool = False,
) -> Plot:
    """Draw a ``Selection``; arguments and errors are those of ``plot_results``."""
    from subtx_toy.figures import sweep_plot

    if heat and parallel:
        raise InputError("heat: expected one kind of figure, got heat and parallel")
    cells = tuple(summarize(selection, metrics=() if metric is None else (metric,)))
    if not cells:
        raise InputError(f"plot: {cell_table.NO_CELLS}")
    configs = [selection.settings[number] for number in {row.config_id for row in selection.results}]
    titles = {dataset_title(config.dataset) for config in configs}
    label = cells[0].metric.replace("_", " ").replace(".", ": ", 1) + (
        f" on {titles.pop()}" if len(titles) == 1 else ""
    )
    if parallel:
        lay_out_checked = [cell for cell in cells if cell.axes]
        if not importance(lay_out_checked):
            raise InputError("parallel: expected configurations that differ in a setting, got one")
        return Plot(sweep_plot.draw_parallel(cells, label=label), cells)
    if heat:
        return Plot(sweep_plot.draw_map(cells, x=x, by=by, label=label), cells)
    layout = lay_out(cells, x=x, by=by)
    points = published_points(_definition(experiment), configs, metric=cells[0].metric, x=layout.x)
    layout = lay_out(cells, x=layout.x, by=by, published=points)
    return Plot(sweep_plot.draw_lines(layout, label=label), cells, layout.published)


def _definition(experiment: str | Path | Definition | Plan | None) -> Definition | None:
    if experiment is None or isinstance(experiment, Definition):
        return experiment
    return experiment.definition if isinstance(experiment, Plan) else experiment_file.read(experiment)
