"""``subtx-toy run``: one experiment, over seeds, beside its published numbers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from subtx_toy.cli.display import Display, interruptible
from subtx_toy.cli.plan_options import DATA_DIR, STORE, processors

if TYPE_CHECKING:
    from subtx_toy.cli.presentation import Presentation
    from subtx_toy.settings.base import Settings
    from subtx_toy.settings.experiment_file import Definition
    from subtx_toy.store import Store
    from subtx_toy.store.record import RunRecord
    from subtx_toy.sweep.trial import Trial


@click.command(short_help="Run one experiment over seeds, beside its published numbers.")
@click.argument("experiment")
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--seeds", metavar="SEEDS", help="Seeds, such as 0:10 or 3,5. [default: the experiment's own]")
@click.option("--quick", is_flag=True, help="A small run on drawn digits, to try things: 2 seeds unless you name some.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes, one thread each. [default: the processors]")
@STORE
@DATA_DIR
@click.option(
    "--figure",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Picture to write, .png, .pdf or .svg. [default: EXPERIMENT-DATASET.png here; none with --json]",
)
@click.option("--no-figure", is_flag=True, help="Write no picture.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the table.")
@click.option("--settings", "list_settings", is_flag=True, help="List every KEY with what it takes, and stop.")
def run(
    experiment: str,
    overrides: tuple[str, ...],
    *,
    seeds: str | None,
    quick: bool,
    workers: int | None,
    store_path: Path | None,
    data_dir: Path | None,
    figure: Path | None,
    no_figure: bool,
    as_json: bool,
    list_settings: bool,
) -> int:
    """Run EXPERIMENT, a packaged name or the path of a TOML file, and print it beside the published numbers.

    Every finished seed is stored at once. A repeated command uses what is stored, so an interrupted one goes on
    where it was. KEY=VALUE changes a setting of the experiment, for example dataset, width, num_aux, lr, loss or
    student_epochs; --settings lists them all.

    Example: subtx-toy run cloud2025 dataset=glyphs num_aux=10 --seeds 0:4
    """
    from subtx_toy.errors import InputError
    from subtx_toy.seeding import parse_seeds
    from subtx_toy.settings import experiment_file as definitions
    from subtx_toy.store import Store, default_path
    from subtx_toy.sweep.schedule import schedule

    start = time.perf_counter()
    definition = definitions.read(experiment)
    if list_settings:
        click.echo(_settings(definition))
        return 0
    configs: list[Settings] = []
    chosen: tuple[int, ...] = ()
    problems: list[str] = []
    if quick:
        named = {override.partition("=")[0] for override in overrides}
        overrides = (*overrides, *(one for one in definition.quick if one.partition("=")[0] not in named))
    try:
        configs = definition.configs(overrides)
        definition.check_told_apart(configs)
    except InputError as error:
        problems += error.problems
    try:
        chosen = parse_seeds(seeds if seeds is not None else "0:2" if quick else definition.seeds)
    except InputError as error:
        problems += error.problems
    if figure is not None and no_figure:
        problems.append(f"figure: expected no file beside --no-figure, got {str(figure)!r}")
    InputError.gather(problems)
    target = None
    if not no_figure and (figure is not None or not as_json):
        target = figure or Path(f"{definition.name}-{configs[0].dataset_title}.png")
        _check_figure(target)

    with Store(store_path or default_path()) as store, interruptible():
        with Display() as display:
            trials = schedule(configs, chosen, data_dir=data_dir, report=display.report, progress=display.progress)
        _run_missing(trials, store, workers or processors(), experiment=definition.name)
        records = store.get([trial.run_id for trial in trials])
    finished = [trial.labelled(records[trial.run_id]) for trial in trials if trial.run_id in records]
    failures = [trial for trial in trials if trial.run_id not in records]  # here, or in another session meanwhile
    if not finished:
        raise click.ClickException("no trial finished")
    presentation = _present(definition, overrides, configs, finished)
    if as_json:
        document = {
            "experiment": definition.name,
            "dataset": configs[0].dataset,
            "dataset_sha256": finished[0].dataset_sha256,
            "seeds": sorted({record.seed for record in finished}),
            "failed_seeds": sorted({trial.seed for trial in failures}),
            **presentation.document,
            "seconds": round(time.perf_counter() - start, 3),
            "cpu_seconds": [record.cpu_seconds for record in finished],
            "training_cpu_seconds": [record.training_cpu_seconds for record in finished],
            "peak_rss_mib": max(record.peak_rss_mib for record in finished),
            "run_ids": [record.run_id for record in finished],
            "results_version": finished[0].results_version,
            "versions": finished[0].versions,
            "store": str(store.path),
            "figure": None if target is None else str(target),
        }
        click.echo(json.dumps(document, indent=2, allow_nan=False))
    else:
        click.echo(presentation.table)
        click.echo(f"records: {store.path}")
    if target is not None:  # after the numbers, which a full disk must not hide
        presentation.draw(target)
        if not as_json:
            click.echo(f"figure: {target}")
    return 1 if failures else 0


def _settings(definition: Definition) -> str:
    from subtx_toy.results.text_table import align
    from subtx_toy.settings.messages import phrase

    config = definition.config
    rows = [
        [name, str(getattr(config, name)), f"{field.description}: {phrase(field)}"]
        for name, field in type(config).model_fields.items()
    ]
    return align(["key", f"in {definition.name}", "what it is, and what it takes"], rows)


def _present(
    definition: Definition, overrides: tuple[str, ...], configs: list[Settings], records: list[RunRecord]
) -> Presentation:
    from subtx_toy.cli import arms, number_arms, one_step, points
    from subtx_toy.settings.distillation import RunConfig
    from subtx_toy.settings.experiment_file import Distillation, DistillationSweep, Numbers, OneStep

    if isinstance(definition, Distillation) and isinstance(configs[0], RunConfig):
        return arms.present(definition, configs[0], records)
    if isinstance(definition, DistillationSweep):
        return points.present(definition, definition.config.override(overrides), records)
    if isinstance(definition, OneStep):
        return one_step.present(definition, definition.config.override(overrides), records)
    if isinstance(definition, Numbers):
        return number_arms.present(definition, records)
    raise TypeError(f"definition: expected one of a known protocol, got {type(definition).__name__}")


def _check_figure(path: Path) -> None:
    """Find out before the training whether the picture can be written after it."""
    from subtx_toy.errors import InputError
    from subtx_toy.files.atomic import check_writable

    if path.suffix not in (".png", ".pdf", ".svg"):
        raise InputError(f"figure: expected a name ending in .png, .pdf or .svg, got {str(path)!r}")
    try:
        check_writable(path, what="figure")
    except InputError as error:
        raise InputError(f"{error}; or use --no-figure") from None


def _run_missing(trials: list[Trial], store: Store, workers: int, *, experiment: str) -> None:
    """Run what is not stored yet, and keep every record as it comes."""
    from subtx_toy.sweep.session import carry_out
    from subtx_toy.sweep.workers import LocalWorkers

    told: set[str] = set()
    done = 0
    with Display() as display:
        steps = carry_out(
            trials, store, lambda: LocalWorkers(workers), experiment=experiment, retry_failed=True
        )  # fmt: skip
        tally, _ = next(steps)
        left = tally.left
        if tally.stored:
            display.report(f"{tally.stored} of {tally.total} trials are stored already")
        if left:
            display.start("training", left, "trials")
        for tally, outcomes in steps:
            for outcome in outcomes:
                done += 1
                if outcome.record is None:
                    reason = outcome.error.strip()
                    display.report(f"seed {outcome.trial.seed} failed: {reason.splitlines()[-1]}")
                    if reason not in told and len(reason.splitlines()) > 1:  # where it happened, once
                        told.add(reason)
                        display.report(reason)
                else:
                    display.report(_line(outcome.record, done, left))
            if outcomes or tally.elsewhere or tally.failed_before:
                display.progress("training", left - tally.left, left, "trials")
    if tally.failed_before:
        display.report(f"{tally.failed_before} trials failed in another session on the same store")
    if failed := tally.failed + tally.failed_before:
        display.report(f"{failed} trials failed; the others are stored, and the same command tries again")


def _line(record: RunRecord, done: int, total: int) -> str:
    values = ", ".join(f"{arm} {value:.3f}" for arm, value in record.accuracies.items())
    return f"[{done}/{total}] seed {record.seed}, {record.cpu_seconds:.1f} s of CPU" + (values and f": {values}")
