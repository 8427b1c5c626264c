"""Run an experiment over axes and seeds: what ``subtx-toy sweep`` does, from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.arguments import data_folder, num_workers, path_of, seconds, store_path
from subtx_toy.api.nets import complete, keeping
from subtx_toy.api.sweep_result import Preview, Sweep
from subtx_toy.errors import InputError
from subtx_toy.results.rows import existing
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.messages import quoted
from subtx_toy.store import Store, labels
from subtx_toy.store.inspection import is_results
from subtx_toy.store.trials import states
from subtx_toy.sweep import workers as pools
from subtx_toy.sweep.looks import Until
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.rounds import Halving, Rounds, UntilNarrow
from subtx_toy.sweep.schedule import estimate
from subtx_toy.sweep.scheduler_address import check_scheduler
from subtx_toy.sweep.session import Tally, carry_out
from subtx_toy.sweep.shard import Shard
from subtx_toy.sweep.trial import Trial
from subtx_toy.sweep.workers import Workers

if TYPE_CHECKING:
    from subtx_toy.data.dataset import Progress, Report
    from subtx_toy.sweep.trial import TrialOutcome

ENGINES = ("local", "dask")
"""What runs the trials: processes of this machine, or Dask."""

Axes = Mapping[Any, object]
Watch = Callable[[Tally, "Sequence[TrialOutcome]"], None]
"""Called with the tally before any trial has run, and with every batch of outcomes after it."""


def sweep(
    experiment: str | Path | Definition | Plan,
    axes: Axes | None = None,
    *,
    seeds: str | int | Iterable[int] | None = None,
    sample: int | None = None,
    sample_seed: int | None = None,
    workers: int | None = None,
    engine: str = "local",
    scheduler: str | None = None,
    retry_failed: bool = False,
    max_failures: int | None = None,
    trial_timeout: float | None = None,
    shard: str | None = None,
    until: str | None = None,
    halving: int | None = None,
    name: str | None = None,
    tags: Sequence[str] = (),
    note: str | None = None,
    store: str | Path | None = None,
    keep_nets: str | Path | None = None,
    data_dir: str | Path | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Sweep:
    """Run all combinations of an experiment's axes with all seeds; resumes, and stores every finished trial at once.

    Args:
        experiment: a packaged name, the path of a TOML file, what ``read`` made of one, or a ``Plan``.
        axes: by setting, a list of values, one value, or a text such as ``"log:1e-4:1e-1:7"``; by a tuple of settings,
            rows of values that change together. Without an axis of several values, the experiment's own grid is run.
        seeds: such as ``range(20)`` or ``"0:20"``; by default the experiment's own.
        sample: how many times the axes drawn at random are drawn.
        sample_seed: names the streams of the draws, >= 0.
        workers: processes of one thread each; by default as many as there are processors.
        engine: ``"local"`` or ``"dask"``.
        scheduler: address of a running Dask scheduler; implies ``"dask"``.
        retry_failed: whether trials that failed in an earlier session run again.
        max_failures: stop once so many trials have failed; what ended by then is stored, the others stay pending.
        trial_timeout: seconds after which a trial is ended, and has failed.
        shard: ``"3/32"`` runs the third of 32 parts of the trials, which a later merge puts together.
        until: ``"ci95<0.02"`` or ``"METRIC.ci95<0.02"``: a configuration gets seeds at planned looks, at most all of
            them, until the half-width of its mean is below that, at the level that the look may spend.
        halving: keep one configuration in so many at each rung and give it so many times the seeds; its mean is then
            too good, because it was chosen.
        name: keeps the plan in the store under a name, for ``named_sweep``.
        tags: words that sort the named sweep.
        note: a text kept with it.
        store: the results file; by default SUBTX_TOY_STORE, or the one that `subtx-toy doctor` names.
        keep_nets: a folder for the trained nets of every trial, which ``read_net`` reads; it has to be one that all
            workers see. A stored trial without its nets is run again for them.
        data_dir: folder with the IDX files of MNIST or Fashion-MNIST.
        report: called with one line for each data set that is obtained.
        progress: called as ``progress(task, done, total, unit)`` while data is obtained.
        watch: called with the tally and the outcomes as they come.

    Raises:
        InputError: naming everything that is wrong with the plan.
        StoreError: if the store cannot be written, or its file is taken away; the message names the file in which its
            records are then.
        WorkerError: if the workers are gone, or are not fit.

    Example:
        ``st.sweep("cloud2025", {"width": [64, 128]}, seeds=range(5))``
    """
    if engine not in ENGINES:
        raise InputError(f"engine: expected {' or '.join(map(repr, ENGINES))}, got {quoted(engine)}")
    if scheduler is not None:
        check_scheduler(scheduler)
    num, path, folder = num_workers(workers), store_path(store), data_folder(data_dir)
    timeout = seconds("trial_timeout", trial_timeout)
    part, narrow = _parts(shard, until, halving)
    if name is None and (tags or note is not None):
        raise InputError("name: expected one for a sweep with tags or a note, got none")
    if name is not None:
        labels.check(name, tags, note or "")
    plan = Plan.of(experiment, axes, seeds=seeds, sample=sample, sample_seed=sample_seed)
    trials = plan.trials(data_dir=folder, report=report, progress=progress)
    trials = [replace(trial, timeout=timeout) for trial in (trials if part is None else part.of(trials))]
    nets = None if keep_nets is None else path_of("keep_nets", keep_nets)
    trials = trials if nets is None else keeping(trials, nets)
    rounds = _rounds(trials, narrow, halving)

    def open_workers() -> Workers:
        if engine == "dask" or scheduler is not None:
            from subtx_toy.sweep.dask_workers import DaskWorkers

            return DaskWorkers(num, scheduler, report)
        return pools.LocalWorkers(num)

    with Store(path) as opened:
        if name is not None:
            labels.remember(opened, name, plan.to_toml(), tags=tags, note=note)
        tally = Tally(0)
        for text, some in [("", trials)] if rounds is None else rounds.each(opened):
            before = tally
            if text and report is not None:
                report(text)
            steps = carry_out(
                some, opened, open_workers, experiment=plan.definition.name, retry_failed=retry_failed,
                max_failures=max_failures,
            )  # fmt: skip
            for now, outcomes in steps:
                tally = before + now
                if watch is not None:
                    watch(tally, outcomes)
            if max_failures is not None and tally.failed >= max_failures:
                break
        if nets is not None:
            complete(trials, opened, nets, open_workers, report)
        return Sweep(plan, tally, opened.path, () if rounds is None else tuple(rounds.groups))


def named_sweep(name: str, *, store: str | Path | None = None) -> Plan:
    """Return the plan that was kept under a name: ``st.sweep(st.named_sweep("wide"))`` goes on with it.

    Raises:
        InputError: if the store has no sweep of that name.
    """
    with existing(store_path(store)) as opened:
        return Plan.parse(labels.label(opened, name).plan)


def preview(
    experiment: str | Path | Definition | Plan,
    axes: Axes | None = None,
    *,
    seeds: str | int | Iterable[int] | None = None,
    sample: int | None = None,
    sample_seed: int | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
    shard: str | None = None,
    until: str | None = None,
    halving: int | None = None,
    store: str | Path | None = None,
    data_dir: str | Path | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
) -> Preview:
    """Return the trials that ``sweep`` would run, with their states and an estimate of their time; run nothing.

    The arguments are those of ``sweep``. No store is created. With ``until`` or ``halving`` that is the most.

    Raises:
        InputError: naming everything that is wrong with the plan.
    """
    plan = Plan.of(experiment, axes, seeds=seeds, sample=sample, sample_seed=sample_seed)
    path = store_path(store)
    part, narrow = _parts(shard, until, halving)
    trials = plan.trials(data_dir=data_folder(data_dir), report=report, progress=progress)
    trials = trials if part is None else part.of(trials)
    _rounds(trials, narrow, halving)
    with Store(path, read_only=True) if is_results(path) else nullcontext() as opened:
        known = {} if opened is None else states(opened, [trial.run_id for trial in trials])
        state = {trial.run_id: known.get(trial.run_id, "new") for trial in trials}
        settled = ("done",) if retry_failed else ("done", "failed")
        todo = [trial for trial in trials if state[trial.run_id] not in settled]
        cost = None if opened is None else estimate(todo, opened, swept=list(plan.swept))
    return Preview(plan, tuple(trials), state, len(todo), cost, num_workers(workers), retry_failed=retry_failed)


def _parts(shard: str | None, until: str | None, halving: int | None) -> tuple[Shard | None, Until | None]:
    part = None if shard is None else Shard.parse(shard)
    narrow = None if until is None else Until.parse(until)
    if sum(one is not None for one in (part, narrow, halving)) > 1:
        raise InputError(
            "shard: expected one of shard, until and halving, got several; parts know nothing of each other"
        )
    return part, narrow


def _rounds(trials: Sequence[Trial], narrow: Until | None, halving: int | None) -> Rounds | None:
    if narrow is not None:
        return UntilNarrow(trials, narrow)
    return None if halving is None else Halving(trials, halving)
