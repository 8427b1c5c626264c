"""Run one experiment over seeds: what ``subtx-toy run`` does, from Python."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.arguments import data_folder, num_workers, path_of, store_path
from subtx_toy.api.choice import choose
from subtx_toy.api.display import silent
from subtx_toy.api.nets import complete, keeping
from subtx_toy.api.run_result import Run
from subtx_toy.api.trial_lines import TrialLines
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.errors import InputError
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.experiment_file import read
from subtx_toy.store import Store
from subtx_toy.sweep import workers as pools
from subtx_toy.sweep.schedule import schedule
from subtx_toy.sweep.session import carry_out

if TYPE_CHECKING:
    from subtx_toy.data.dataset import Progress, Report


def run(
    experiment: str | Path | Definition,
    *,
    seeds: str | int | Iterable[int] | None = None,
    quick: bool = False,
    workers: int | None = None,
    store: str | Path | None = None,
    keep_nets: str | Path | None = None,
    data_dir: str | Path | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Run an experiment over seeds; what is stored already is not run again.

    Args:
        experiment: a packaged name, the path of a TOML file, or what ``read`` made of one.
        seeds: such as ``range(10)``, ``"0:10"`` or ``3``; by default the experiment's own.
        quick: the experiment's quick settings: drawn digits, a small network, 5 to 10 seeds, done in seconds.
        workers: processes of one thread each; by default as many as there are processors.
        store: the results file; by default SUBTX_TOY_STORE, or the one that `subtx-toy doctor` names.
        keep_nets: a folder for the trained nets of every trial, which ``read_net`` reads; a stored trial without its
            nets is run again for them.
        data_dir: folder with the IDX files of MNIST or Fashion-MNIST.
        report: called with a line for every finished seed; ``print`` will do.
        progress: called as ``progress(task, done, total, unit)``.
        settings: changes of the experiment's settings by name, for example ``num_aux=10``.

    Raises:
        InputError: naming everything that is wrong, or if no trial finished.

    Example:
        ``st.run("cloud2025", seeds=range(10), num_aux=10)``
    """
    start = time.perf_counter()
    definition, path, folder, num = read(experiment), store_path(store), data_folder(data_dir), num_workers(workers)
    base, configs, chosen = choose(definition, settings, seeds, quick=quick)
    with Store(path) as opened:
        trials = schedule(configs, chosen, data_dir=folder, report=report, progress=progress)
        nets = None if keep_nets is None else path_of("keep_nets", keep_nets)
        trials = trials if nets is None else keeping(trials, nets)
        pool = pools.LocalWorkers(num)
        watch = TrialLines(trials, report or silent, progress or silent)
        steps = carry_out(trials, opened, lambda: pool, experiment=definition.name, retry_failed=True)
        try:
            for tally, outcomes in steps:
                watch(tally, outcomes)
                watch.running(pool.pulses())
        except KeyboardInterrupt:
            watch.interrupted(opened.path)
            raise
        watch.end()
        if nets is not None:
            complete(trials, opened, nets, lambda: pools.LocalWorkers(num), report)
        found = opened.get([trial.run_id for trial in trials])
    records = tuple(trial.labelled(found[trial.run_id]) for trial in trials if trial.run_id in found)
    if not records:
        raise InputError("no trial finished")
    failed = tuple(sorted({trial.seed for trial in trials if trial.run_id not in found}))
    return Run(definition, base, records, failed, opened.path, time.perf_counter() - start)
