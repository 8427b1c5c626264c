"""What a protocol is: settings, what runs with them, and how its records are summarised, shown and drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from subtx_toy.results.run_summary import present_means, summarise_means
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from subtx_toy.results.presentation import Presentation
    from subtx_toy.store.record import RunRecord


@dataclass(frozen=True)
class Measurement:
    """What one run gives.

    Attributes:
        metrics: final values by name, for example ``student_aux.accuracy``.
        series: learning curves by name.
        training_cpu_seconds: CPU seconds of the optimiser steps; None counts the whole run.
        versions: what else the numbers were computed with.
    """

    metrics: dict[str, float]
    series: dict[str, list[float]] = field(default_factory=dict)
    training_cpu_seconds: float | None = None
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One kind of experiment.

    A protocol of your own is an object of this class in a Python file, which experiment files name with
    ``protocol = "file.py:NAME"``. Only ``name``, ``settings`` and ``run`` are needed: by default every metric is shown
    as a mean over seeds, one row for each configuration.

    Attributes:
        name: as in experiment files; part of the content key.
        settings: class of its settings, whose ``protocol`` is the name.
        run: ``run(settings, dataset, seed=seed)``; equal arguments have to give equal numbers.
        definition: class of its experiment files, for tables beyond ``config`` and ``grid``.
        summarise: ``summarise(definition, base, records)`` with at least one record; ``base`` is what the user asked
            for, before the grid.
        present: from the summary to tables and a document.
        draw: from the summary to a figure; None where there is none.
    """

    name: str
    settings: type[Settings]
    run: Callable[..., Measurement]
    definition: type[Definition] = Definition
    summarise: Callable[[Definition, Settings, Sequence[RunRecord]], Any] = summarise_means
    present: Callable[[Any], Presentation] = present_means
    draw: Callable[[Any], Figure] | None = None
