"""What is stored, as a pandas frame: what ``subtx-toy results`` reads, from Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.arguments import store_path
from subtx_toy.api.display import frame
from subtx_toy.errors import InputError
from subtx_toy.results.condition import Condition
from subtx_toy.results.rows import Selection, columns, existing, narrowed, select
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.seeds import seed_list
from subtx_toy.sweep.plan import Plan

if TYPE_CHECKING:
    import pandas as pd


def results(
    experiment: str | Path | Definition | Plan | None = None,
    axes: Mapping[Any, object] | None = None,
    *,
    seeds: str | int | Iterable[int] | None = None,
    store: str | Path | None = None,
    all_versions: bool = False,
    where: str | None = None,
) -> pd.DataFrame:
    """Return stored trials as a pandas frame, one row each: key, seed, settings, final metrics, provenance.

    Args:
        experiment: as ``sweep`` takes it; None for everything that is stored.
        axes: as ``sweep`` takes them.
        seeds: of the trials; by default all that are stored.
        store: the results file; by default SUBTX_TOY_STORE, or the one that `subtx-toy doctor` names.
        all_versions: whether results of other versions are included.
        where: a condition on settings and metrics, such as ``"width > 64 and student_aux.accuracy < 0.5"``.

    Raises:
        InputError: if there is no such store, the plan or the condition is not valid, or pandas is not installed.
    """
    return frame(columns(stored(experiment, axes, seeds=seeds, store=store, all_versions=all_versions, where=where)))


def stored(
    experiment: str | Path | Definition | Plan | None = None,
    axes: Mapping[Any, object] | None = None,
    *,
    seeds: str | int | Iterable[int] | None = None,
    store: str | Path | None = None,
    all_versions: bool = False,
    where: str | None = None,
) -> Selection:
    """Return the stored trials of a plan as a ``Selection``; arguments and errors are those of ``results``."""
    if experiment is None and axes:
        raise InputError("axes: name an experiment for them")
    wanted = None if experiment is None else Plan.of(experiment, axes).configs
    chosen = None if seeds is None else set(seed_list(seeds))
    condition = None if where is None else Condition.parse(where)
    with existing(store_path(store)) as opened:
        found = select(opened, wanted=wanted, seeds=chosen, all_versions=all_versions)
    return found if condition is None else narrowed(found, condition)
