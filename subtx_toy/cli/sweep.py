"""``subtx-toy sweep``: an experiment over axes and seeds, on this machine or a cluster, losing nothing."""

from __future__ import annotations

import json
from pathlib import Path

import rich_click as click

from subtx_toy.cli.display import Display, interruptible
from subtx_toy.cli.plan_options import DATA_DIR, STORE, plan_options
from subtx_toy.cli.sweep_progress import SweepProgress


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
    from subtx_toy.api import sweep as api
    from subtx_toy.errors import InputError
    from subtx_toy.sweep.plan import Plan

    if fail_fast and max_failures is not None:
        raise InputError("--fail-fast cannot be combined with --max-failures")
    plan = Plan.read(experiment, axes, seeds=seeds, sample=sample, sample_seed=sample_seed)
    if as_toml:
        click.echo(plan.to_toml(), nl=False)
        return 0
    with interruptible(), Display() as display, SweepProgress(display) as progress:
        if dry_run:
            listed = api.preview(
                plan, workers=workers, retry_failed=retry_failed, store=store_path, data_dir=data_dir,
                report=display.report, progress=display.progress,
            )  # fmt: skip
            text = json.dumps(listed.document(), indent=2) if as_json else f"{listed.table}\n{listed.conclusion}"
            click.echo(text)
            return 0
        done = api.sweep(
            plan, workers=workers, engine=engine, scheduler=scheduler, retry_failed=retry_failed,
            max_failures=1 if fail_fast else max_failures, store=store_path, data_dir=data_dir,
            report=display.report, progress=display.progress, watch=progress,
        )  # fmt: skip
        progress.finish(done.tally)
    click.echo(json.dumps(done.document(), indent=2) if as_json else f"records: {done.store}")
    return 0 if done.complete else 1
