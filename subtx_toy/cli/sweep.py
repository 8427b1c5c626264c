"""``subtx-toy sweep``: an experiment over axes and seeds, on this machine or a cluster, losing nothing."""

from __future__ import annotations

from typing import Any

import rich_click as click

from subtx_toy.cli.display import Display
from subtx_toy.cli.echo import echo
from subtx_toy.cli.experiments import complete_experiment
from subtx_toy.cli.interrupts import interruptible
from subtx_toy.cli.options import DATA_DIR, JSON, STORE, WORKERS, plan_options
from subtx_toy.files.json_text import json_text
from subtx_toy.files.terminal_text import one_line


@click.command(short_help="Run an experiment over axes and seeds; resumes.")
@click.argument("experiment", shell_complete=complete_experiment)
@click.argument("axes", metavar="[SETTING=VALUES]...", nargs=-1)
@plan_options
@click.option("--dry-run", is_flag=True, help="List the trials with their keys and states, and stop.")
@click.option("--toml", "as_toml", is_flag=True, help="Print the plan as a TOML file for this command, and stop.")
@click.option("--retry-failed", is_flag=True, help="Run again what failed in an earlier session.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failed trial.")
@click.option("--max-failures", type=click.IntRange(min=1), metavar="N", help="Stop after N failed trials.")
@click.option("--trial-timeout", type=float, metavar="SECONDS", help="End a trial after so long; it has failed.")
@WORKERS
@click.option("--engine", type=click.Choice(["local", "dask"]), default="local", show_default=True)
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler that runs, tcp://HOST:PORT. Implies dask.")
@STORE
@DATA_DIR
@JSON
def sweep(
    experiment: str,
    axes: tuple[str, ...],
    *,
    dry_run: bool,
    as_toml: bool,
    fail_fast: bool,
    as_json: bool,
    seeds: str | None,
    sample: int | None,
    sample_seed: int | None,
    **options: Any,
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
    from subtx_toy.cli.sweep_progress import SweepProgress
    from subtx_toy.errors import InputError
    from subtx_toy.sweep.plan import Plan

    if fail_fast:
        if options["max_failures"] is not None:
            raise InputError("--fail-fast cannot be combined with --max-failures")
        options["max_failures"] = 1
    plan = Plan.read(experiment, axes, seeds=seeds, sample=sample, sample_seed=sample_seed)
    if as_toml:
        echo(plan.to_toml(), nl=False)
        return 0
    with interruptible(), Display() as display:
        news: dict[str, Any] = {"report": display.report, "progress": display.progress}
        if dry_run:
            chosen = {name: options[name] for name in ("workers", "retry_failed", "store", "data_dir")}
            listed = api.preview(plan, **chosen, **news)
            echo(json_text(listed.document()) if as_json else f"{listed.table}\n{listed.conclusion}")
            return 0
        progress = SweepProgress(display, plan.swept)
        done = api.sweep(plan, **options, **news, watch=progress)
        progress.finish(done.tally)
    echo(json_text(done.document()) if as_json else one_line(f"records: {done.store}"))
    return 0 if done.complete else 1
