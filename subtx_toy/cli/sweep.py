"""``subtx-toy sweep``: an experiment over axes and seeds, on this machine or a cluster, losing nothing."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from subtx_toy.cli.display import Display, interruptible
from subtx_toy.cli.plan_options import DATA_DIR, STORE, plan_options, processors

if TYPE_CHECKING:
    from subtx_toy.store import Store
    from subtx_toy.sweep.plan import Plan
    from subtx_toy.sweep.session import Tally
    from subtx_toy.sweep.trial import Trial
    from subtx_toy.sweep.workers import Workers


@click.command(short_help="Run an experiment over axes and seeds; resumes.")
@click.argument("experiment")
@click.argument("axes", metavar="[SETTING=VALUES]...", nargs=-1)
@plan_options
@click.option("--dry-run", is_flag=True, help="List the trials with their keys and states, and stop.")
@click.option("--toml", "as_toml", is_flag=True, help="Print the plan as a TOML file for this command, and stop.")
@click.option("--retry-failed", is_flag=True, help="Run again what failed in an earlier session.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failed trial.")
@click.option("--max-failures", type=click.IntRange(min=1), metavar="N", help="Stop after N failed trials.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes, one thread each. [default: the processors]")
@click.option("--engine", type=click.Choice(["local", "dask"]), default="local", show_default=True)
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler that runs, tcp://HOST:PORT. Implies dask.")
@STORE
@DATA_DIR
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def sweep(
    experiment: str,
    axes: tuple[str, ...],
    *,
    seeds: str | None,
    sample: int | None,
    sample_seed: int | None,
    dry_run: bool,
    as_toml: bool,
    retry_failed: bool,
    fail_fast: bool,
    max_failures: int | None,
    workers: int | None,
    engine: str,
    scheduler: str | None,
    store_path: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """Run EXPERIMENT for all combinations of SETTING=VALUES and all seeds.

    EXPERIMENT is a packaged name, the path of an experiment's TOML file, or that of a plan's.

    Values: width=64,128 lists them; depth=range:1:5, lr=log:1e-4:1e-1:7 and init_scale=linear:0.5:2:4 make them;
    zip:lr:batch_size=1e-3:64,3e-4:32 changes settings together; lr=loguniform:1e-4:1e-1, uniform:LOW:HIGH and
    choice:A:B:C are drawn --sample times. Parentheses, log(1e-4,1e-1,7), mean the same and need quotes in a shell.
    One value sets a setting. Without an axis of several values, the experiment's own grid is run.

    Every finished trial is stored at once, under its content key: the same command goes on where it was, and
    several of them on one store share the work. What failed is kept with its traceback and left alone until
    --retry-failed.

    Exit codes: 0 every trial is stored; 1 some failed; 2 bad usage or bad input; 130 interrupted.

    Example: subtx-toy sweep tiny width=16,32 num_aux=1,3,10 --seeds 0:5
    """
    from subtx_toy.errors import InputError
    from subtx_toy.seeding import parse_seeds
    from subtx_toy.store import Store, default_path
    from subtx_toy.sweep.plan import Plan
    from subtx_toy.sweep.schedule import schedule

    if fail_fast and max_failures is not None:
        raise InputError("--fail-fast: expected no --max-failures beside it, got both")
    plan = Plan.read(experiment, axes, seeds=seeds, sample=sample, sample_seed=sample_seed)
    if as_toml:
        click.echo(plan.to_toml(), nl=False)
        return 0
    num = workers or processors()
    with interruptible():
        with Display() as display:
            trials = schedule(
                plan.configs, parse_seeds(plan.seeds), data_dir=data_dir, report=display.report,
                progress=display.progress,
            )  # fmt: skip
        path = store_path or default_path()
        if dry_run:
            with Store(path) if path.exists() else contextlib.nullcontext() as known:  # a dry run makes no store
                _show_plan(plan, trials, known, num, retry_failed=retry_failed, as_json=as_json)
            return 0
        with Store(path) as store:
            tally = _carry_out(
                plan, trials, store, num, engine=engine, scheduler=scheduler, retry_failed=retry_failed,
                max_failures=1 if fail_fast else max_failures,
            )  # fmt: skip
            if as_json:
                click.echo(json.dumps(_document(plan, tally) | {"store": str(store.path)}, indent=2))
            else:
                click.echo(f"records: {store.path}")
    return 1 if tally.failed or tally.failed_before or tally.left else 0


def _document(plan: Plan, tally: Tally) -> dict[str, Any]:
    return {
        "experiment": plan.definition.name,
        "axes": plan.swept,
        "trials": tally.total,
        "done": tally.stored + tally.done,
        "failed": tally.failed + tally.failed_before,
        "elsewhere": tally.elsewhere,
        "left": tally.left,
    }


def _show_plan(
    plan: Plan, trials: list[Trial], store: Store | None, num_workers: int, *, retry_failed: bool, as_json: bool
) -> None:
    from subtx_toy.cli.sweep_progress import clock
    from subtx_toy.results.text_table import align
    from subtx_toy.store.trials import states
    from subtx_toy.sweep.estimate import estimate

    swept = plan.swept
    known = {} if store is None else states(store, [trial.run_id for trial in trials])
    state = {trial.run_id: known.get(trial.run_id, "new") for trial in trials}
    done = sum(one == "done" for one in state.values())
    failed = sum(one == "failed" for one in state.values())
    settled = ("done",) if retry_failed else ("done", "failed")
    todo = [trial for trial in trials if state[trial.run_id] not in settled]
    cost = None if store is None else estimate(todo, store, swept=list(swept))
    if as_json:
        listed = [
            {
                "run_id": trial.run_id,
                "state": state[trial.run_id],
                "seed": trial.seed,
                "settings": {name: getattr(trial.config, name) for name in swept},
            }
            for trial in trials
        ]
        document: dict[str, Any] = {
            "experiment": plan.definition.name,
            "axes": swept,
            "seeds": plan.seeds,
            "trials": len(trials),
            "done": done,
            "failed": failed,
            "to_run": len(todo),
            "estimated_cpu_seconds": None if cost is None else cost.cpu_seconds,
            "estimated_seconds": None if cost is None else cost.cpu_seconds / num_workers,
            "estimated_from": None if cost is None else cost.basis,
            "plan": listed,
        }
        click.echo(json.dumps(document, indent=2))
        return
    header = ["run", "state", "seed", *swept]
    rows = [
        [trial.run_id, state[trial.run_id], str(trial.seed), *(str(getattr(trial.config, name)) for name in swept)]
        for trial in trials
    ]
    click.echo(align(header, rows))
    click.echo(f"{len(trials)} trials, {done} of them done, {len(todo)} to run")
    if failed and not retry_failed:
        click.echo(f"{failed} failed earlier and are left alone (--retry-failed runs them again)")
    if todo and cost is None:
        click.echo("time: unknown, no record of a trial like these is stored")
    elif todo and cost is not None:
        click.echo(f"time: about {clock(cost.cpu_seconds / num_workers)} on {num_workers} processors, {cost.basis}")


def _carry_out(
    plan: Plan,
    trials: list[Trial],
    store: Store,
    num_workers: int,
    *,
    engine: str,
    scheduler: str | None,
    retry_failed: bool,
    max_failures: int | None,
) -> Tally:
    from subtx_toy.cli.sweep_progress import SweepProgress
    from subtx_toy.sweep.session import carry_out

    def open_workers() -> Workers:
        if engine == "dask" or scheduler is not None:
            from subtx_toy.sweep.dask_workers import DaskWorkers

            return DaskWorkers(num_workers, scheduler)
        from subtx_toy.sweep.workers import LocalWorkers

        return LocalWorkers(num_workers)

    with SweepProgress() as progress:
        steps = carry_out(
            trials, store, open_workers, experiment=plan.definition.name, retry_failed=retry_failed,
            max_failures=max_failures,
        )  # fmt: skip
        tally, _ = next(steps)
        progress.start(tally)
        for tally, outcomes in steps:
            progress.update(tally, outcomes)
        progress.finish(tally)
    return tally
