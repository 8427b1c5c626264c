"""A run from what is stored, without running anything: what ``subtx-toy report`` writes as a page."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from subtx_toy.api.arguments import store_path
from subtx_toy.api.choice import choose
from subtx_toy.api.run_result import Run
from subtx_toy.errors import InputError
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.seeds import seed_list
from subtx_toy.store import Store


def report(
    experiment: str | Path | Definition,
    *,
    seeds: str | int | Iterable[int] | None = None,
    quick: bool = False,
    store: str | Path | None = None,
    **settings: Any,
) -> Run:
    """Return the stored records of an experiment as a ``Run``; nothing runs.

    Args:
        experiment: as ``run`` takes it.
        seeds: of the records; by default all that are stored.
        quick: whether the records are those of a quick run.
        store: the results file; by default SUBTX_TOY_STORE, or the one that `subtx-toy doctor` names.
        settings: changes of the experiment's settings by name, as ``run`` takes them.

    Raises:
        InputError: naming everything that is wrong, or if there is no such record.

    Example:
        ``st.report("cloud2025").save_page("cloud2025.html")``
    """
    start = time.perf_counter()
    definition, path = read(experiment), store_path(store)
    base, configs, _ = choose(definition, settings, 0, quick=quick)
    chosen = None if seeds is None else set(seed_list(seeds))
    if not path.exists():
        raise InputError(f"store: expected a results file, got none at {path}; make records with: subtx-toy run")
    with Store(path, read_only=True) as opened:
        found = [record for config in configs for record in opened.find(config)]
    records = tuple(record for record in found if chosen is None or record.seed in chosen)
    if not records:
        given = definition.name if isinstance(experiment, Definition) else str(experiment)
        words = [given, *(f"{name}={value}" for name, value in settings.items()), *(["--quick"] if quick else [])]
        command = shlex.join(["subtx-toy", "run", *words, *([] if store is None else ["--store", str(store)])])
        raise InputError(
            f"store: {path} has no record of {definition.name} with these settings; make them with: {command}"
        )
    return Run(definition, base, records, (), path, time.perf_counter() - start)
