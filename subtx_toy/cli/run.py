"""``subtx-toy run``: one experiment, over seeds, next to its published numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from subtx_toy.cli.assignments import options_suggested
from subtx_toy.cli.display import working
from subtx_toy.cli.echo import echo
from subtx_toy.cli.experiments import complete_experiment
from subtx_toy.cli.options import DATA_DIR, FILE, JSON, KEEP_NETS, SEEDS, STORE, WORKERS, writable
from subtx_toy.cli.selecting import summary_command_of
from subtx_toy.files.json_text import json_text
from subtx_toy.files.terminal_text import one_line

if TYPE_CHECKING:
    from subtx_toy.api.run_result import Run
    from subtx_toy.settings.definitions import Definition


@click.command(short_help="Run one experiment over seeds, next to its published numbers.")
@click.argument("experiment", required=False, shell_complete=complete_experiment)
@click.argument("overrides", metavar="[SETTING=VALUE]...", nargs=-1)
@SEEDS
@click.option("--quick", is_flag=True, help="A part of it in seconds: drawn digits, small networks, few seeds.")
@WORKERS
@STORE
@KEEP_NETS
@DATA_DIR
@click.option(
    "--figure",
    type=FILE,
    help="Picture to write, .png, .pdf or .svg. [default: EXPERIMENT-DATASET.png here; none with --json]",
)
@click.option("--html", type=FILE, callback=writable, help="Report to write, as one HTML page.")
@click.option("--no-figure", is_flag=True, help="Write no picture.")
@JSON
@click.option(
    "--settings", "list_settings", is_flag=True, help="List every SETTING, its value and what it takes; stop."
)
def run(
    experiment: str | None,
    overrides: tuple[str, ...],
    *,
    seeds: str | None,
    quick: bool,
    figure: Path | None,
    no_figure: bool,
    html: Path | None,
    as_json: bool,
    list_settings: bool,
    **options: Any,
) -> int:
    """Run EXPERIMENT, a packaged name or the path of a TOML file, and print it next to the published numbers.

    `subtx-toy list` shows the names. --quick shows a part of the experiment in seconds, and says which.

    Every finished seed is stored at once. A repeated command uses what is stored, so an interrupted one goes on
    where it was. SETTING=VALUE changes a setting of the experiment, for example dataset, width, num_aux, lr, loss or
    student_epochs; --settings lists them all with the values that this command would use.

    Exit codes: 0 every seed is stored; 1 some failed; 2 bad usage or bad input; 130 interrupted.

    Example: subtx-toy run cloud2025 --quick
    """
    from subtx_toy.errors import InputError
    from subtx_toy.settings.experiment_file import read
    from subtx_toy.settings.overridable import read_assignments

    start = time.perf_counter()
    if experiment is None and not list_settings:
        raise InputError("EXPERIMENT is missing; `subtx-toy list` shows the packaged ones")
    definition = read(experiment or "cloud2025")
    if list_settings:
        echo(_settings(definition, overrides, quick=quick))
        return 0
    from subtx_toy.api.choice import choose  # after what needs a third of the libraries
    from subtx_toy.api.run import run as run_experiment

    changes, problems = read_assignments(overrides)
    if figure is not None and no_figure:
        problems.append("--figure cannot be combined with --no-figure")
    dataset = ""
    with InputError.collected(problems), options_suggested():
        dataset = choose(definition, changes, seeds, quick=quick)[1][0].dataset_title
    InputError.gather(problems)
    target = None
    if not no_figure and (figure is not None or not as_json):
        target = figure or Path(f"{definition.name}-{dataset}.png")
        _check_figure(target, options["store"])

    if html is not None:
        _check_page(html, target, options["store"])

    with working() as display:
        found = run_experiment(definition, seeds=seeds, quick=quick, **(options | display | changes))
    if as_json:
        document = found.document() | {
            "seconds": round(time.perf_counter() - start, 3),
            "figure": None if target is None else str(target),
        }
        echo(json_text(document))
    else:
        echo(found.table)
        if quick and definition.quick and definition.quick.shows:
            from subtx_toy.results.presentation import wrapped

            echo(wrapped(f"a quick run is to show: {definition.quick.shows}"))
        if not quick and (own := _own_metrics(found)):
            chosen = {"seeds": seeds, "store": options["store"], "metric": own[0]}
            command = summary_command_of(str(experiment), overrides, chosen)
            echo(one_line(f"metric: {', '.join(own)} and those of the other arms are stored; see them by: {command}"))
        echo(one_line(f"records: {found.store}"))
    if target is not None and found.has_figure:  # after the numbers, which a full disk must not hide
        from subtx_toy.figures.style import save

        save(found.plot(), target)
        if not as_json:
            echo(one_line(f"figure: {target}"))
    if html is not None:
        found.save_page(html)
        if not as_json:
            echo(one_line(f"page: {html}"))
    return 1 if found.failed_seeds else 0


def _own_metrics(found: Run) -> list[str]:
    """Return the names under which a metric of the user's is stored for one arm."""
    if not getattr(found.base, "metric", ""):
        return []
    from subtx_toy.protocols.own_objects import TAKEN

    names = [name for name in found.records[0].settled if name.startswith("student_aux.")]
    return [name for name in names if name.partition(".")[2] not in TAKEN]


def _settings(definition: Definition, overrides: Sequence[str], *, quick: bool) -> str:
    """List the settings with the values that a run with these ``overrides`` would have."""
    from subtx_toy.results.presentation import align
    from subtx_toy.settings.model_faults import phrase

    with options_suggested():
        config = (definition.quickened() if quick else definition).config.override(overrides)
    rows = [
        [name, str(getattr(config, name)), f"{field.description}: {phrase(field)}"]
        for name, field in type(config).model_fields.items()
    ]
    return align(["setting", f"in {definition.name}", "what it is, and what it takes"], rows)


def _check_page(path: Path, figure: Path | None, store: str | None) -> None:
    from subtx_toy.api.arguments import store_path
    from subtx_toy.errors import InputError
    from subtx_toy.store.place import check_not_the_store

    check_not_the_store(store_path(store), path, what="html")
    if figure is not None and path.absolute() == figure.absolute():
        raise InputError(f"html: expected another file than the figure's, got {path}")


def _check_figure(path: Path, store: str | None) -> None:
    """Find out before the training whether the picture can be written after it."""
    from subtx_toy.api.arguments import store_path
    from subtx_toy.errors import InputError
    from subtx_toy.files.atomic import check_writable
    from subtx_toy.store.place import check_not_the_store

    if path.suffix not in (".png", ".pdf", ".svg"):
        raise InputError(f"figure: expected a name ending in .png, .pdf or .svg, got {str(path)!r}")
    try:
        check_writable(path, what="figure")
        check_not_the_store(store_path(store), path, what="figure")
    except InputError as error:
        raise InputError(f"{error}; or use --no-figure") from None
