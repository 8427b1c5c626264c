"""``subtx-toy sweep``: an experiment over axes and seeds, on this machine or a cluster, losing nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from subtx_toy.cli.assignments import options_suggested
from subtx_toy.cli.display import Display
from subtx_toy.cli.echo import echo
from subtx_toy.cli.experiments import complete_experiment
from subtx_toy.cli.interrupts import interruptible
from subtx_toy.cli.options import DATA_DIR, FILE, JSON, KEEP_NETS, STORE, WORKERS, plan_options, writable
from subtx_toy.cli.selecting import summary_command_of
from subtx_toy.files.json_text import json_text
from subtx_toy.files.terminal_text import one_line


@click.command(short_help="Run an experiment over axes and seeds; resumes.")
@click.argument("experiment", required=False, shell_complete=complete_experiment)
@click.argument("axes", metavar="[SETTING=VALUES]...", nargs=-1)
@plan_options
@click.option("--dry-run", is_flag=True, help="List the trials with their keys and states, and stop.")
@click.option("--toml", "as_toml", is_flag=True, help="Print the plan as a TOML file for this command, and stop.")
@click.option("--retry-failed", is_flag=True, help="Run again what failed in an earlier session.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failed trial.")
@click.option("--max-failures", type=click.IntRange(min=1), metavar="N", help="Stop once N trials failed.")
@click.option(
    "--trial-timeout", type=float, metavar="SECONDS", help="End a trial that runs longer; it counts as failed."
)
@click.option("--shard", metavar="I/N", help="Run part I of N parts of the trials, for an array of jobs; I from 1.")
@click.option("--until", metavar="ci95<WIDTH", help="Add seeds, by plan, until ci95 or METRIC.ci95 is below WIDTH.")
@click.option("--halving", type=int, metavar="R", help="Keep the best 1 in R at each rung, with R times the seeds.")
@click.option("--name", metavar="NAME", help="Keep the plan in the store under a name.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A word for the named sweep; may be repeated.")
@click.option("--note", metavar="TEXT", help="A note for the named sweep.")
@click.option("--resume", metavar="NAME", help="Go on with the sweep of that name; name no experiment.")
@click.option("--watch", is_flag=True, help="Follow a sweep that runs elsewhere; with --json, print its state once.")
@click.option("--serve", metavar="HOST:PORT", help="The same as a page in the browser, on this machine only.")
@click.option("--figure", type=FILE, callback=writable, help="Draw the means when it is done: .png, .pdf or .svg.")
@WORKERS
@click.option(
    "--engine",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="Where trials run: processes of this machine, or a Dask cluster.",
)
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler, tls://HOST:PORT. Implies dask.")
@STORE
@KEEP_NETS
@DATA_DIR
@JSON
def sweep(
    experiment: str | None,
    axes: tuple[str, ...],
    *,
    resume: str | None,
    watch: bool,
    serve: str | None,
    figure: Path | None,
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

    --until: ci95 is half of the width of the 95 % interval of a mean, METRIC.ci95 that of another metric than the
    accuracy of student_aux, for example teacher.accuracy.ci95<0.02. It stops at looks that are fixed beforehand, each
    of which spends a part of the 5 % error. --halving is for
    finding a good configuration: the means of what it keeps are too good. Names, tags and notes are kept in the store.

    Exit codes: 0 every trial is stored; 1 some failed; 2 bad usage or bad input; 130 interrupted.

    Example: subtx-toy sweep tiny width=16,32 num_aux=1,3,10 --seeds 0:5
    """
    from subtx_toy.api import sweep as api
    from subtx_toy.cli.sweep_progress import SweepProgress
    from subtx_toy.errors import InputError
    from subtx_toy.results.presentation import align
    from subtx_toy.sweep.plan import Plan

    if fail_fast:
        if options["max_failures"] is not None:
            raise InputError("--fail-fast cannot be combined with --max-failures")
        options["max_failures"] = 1
    if resume is not None:
        if experiment is not None or seeds is not None or sample is not None or sample_seed is not None:
            raise InputError("resume: expected no experiment, axes or seeds, which the named sweep has")
        plan = api.named_sweep(resume, store=options["store"])
        options["name"] = resume
    elif experiment is None:
        raise InputError("experiment: expected a name or a TOML file, or --resume NAME, got none")
    else:
        with options_suggested():
            plan = Plan.read(experiment, axes, seeds=seeds, sample=sample, sample_seed=sample_seed)
    if as_toml:
        echo(plan.to_toml(), nl=False)
        return 0
    with interruptible(), Display() as display:
        news: dict[str, Any] = {"report": display.report, "progress": display.progress}
        if watch or serve is not None:
            from subtx_toy.cli.following import follow

            return follow(plan, display, serve=serve, as_json=as_json, **options, **news)
        if dry_run:
            told = ("workers", "retry_failed", "shard", "until", "halving", "store", "data_dir")
            chosen = {name: options[name] for name in told}
            listed = api.preview(plan, **chosen, **news)
            echo(json_text(listed.document()) if as_json else f"{listed.table}\n{listed.conclusion}")
            return 0
        progress = SweepProgress(display, plan.swept)
        done = api.sweep(plan, **options, **news, watch=progress)
        progress.finish(done.tally)
    if figure is not None:
        from subtx_toy.api.plots import plot_results
        from subtx_toy.figures.style import save

        save(plot_results(plan, store=done.store).figure, figure)
    if as_json:
        echo(json_text(done.document() | ({} if figure is None else {"figure": str(figure)})))
        return 0 if done.complete else 1
    if done.groups:
        table = done.tables[-1]
        echo(align(table.header, table.rows))
    echo(one_line(f"records: {done.store}" + ("" if figure is None else f"; figure: {figure}")))
    if experiment is None:  # a sweep that was named: all of it is in its plan
        experiment, axes = plan.words()
        seeds, sample, sample_seed = plan.seeds, plan.sample or None, plan.sample_seed or None
    chosen = {"seeds": seeds, "sample": sample, "sample-seed": sample_seed, "store": options["store"]}
    echo(f"see the results by: {summary_command_of(experiment, axes, chosen)}")
    if options["until"] is not None:
        echo("note: the intervals of that summary do not allow for the looks; the half-widths above do")
    if options["halving"] is not None:
        echo("note: what was dropped has fewer seeds in that summary; "
             "what was kept was chosen for its mean, which is too high: run it again with fresh seeds")  # fmt: skip
    return 0 if done.complete else 1
