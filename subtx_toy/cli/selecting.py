"""The words and options that select stored trials, for every command that reads them."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from subtx_toy.cli.assignments import options_suggested
from subtx_toy.cli.echo import echo
from subtx_toy.cli.experiments import complete_experiment
from subtx_toy.cli.options import STORE, STORED_SEEDS, drawing_options, options
from subtx_toy.wording import counted

if TYPE_CHECKING:
    from subtx_toy.results.rows import Selection
    from subtx_toy.store import Store

WHERE = click.option(
    "--where", metavar="CONDITION", help="Only these trials, such as \"width > 64 and dataset == 'mnist'\"."
)
METRICS = click.option("--metric", "metrics", multiple=True, metavar="NAME", help="A final metric; may be repeated.")

trial_words = options(
    click.argument("experiment", required=False, shell_complete=complete_experiment),
    click.argument("axes", metavar="[SETTING=VALUES]...", nargs=-1),
)
"""The arguments of `sweep`, of which none is needed."""

selecting = options(
    STORED_SEEDS,
    drawing_options,
    WHERE,
    STORE,
    click.option("--all-versions", is_flag=True, help="Also results of other versions, in cells of their own."),
)


def summary_command_of(experiment: str, axes: Sequence[str], chosen: Mapping[str, object]) -> str:
    """Return the command that summarises the trials of a plan, for a shell; options that are None are left out."""
    given = [(f"--{name}", str(value)) for name, value in chosen.items() if value is not None]
    return shlex.join(["subtx-toy", "results", "summary", experiment, *axes, *itertools.chain.from_iterable(given)])


def open_store(store: str | None) -> Store:
    """Open the store that is read."""
    from subtx_toy.api.arguments import store_path
    from subtx_toy.store import Store

    return Store(store_path(store), read_only=True)


def select(
    experiment: str | None,
    axes: tuple[str, ...],
    *,
    store: str | None,
    all_versions: bool,
    seeds: str | None,
    where: str | None = None,
    **plan: Any,
) -> Selection:
    """Select by the words of a plan; of the seeds, those that are named, else whatever is stored."""
    from subtx_toy.api.results import stored
    from subtx_toy.errors import InputError
    from subtx_toy.sweep.plan import Plan

    if experiment is None:
        InputError.gather(
            f"{name}: name an experiment and an axis that is drawn at random"
            for name, value in plan.items()
            if value is not None
        )
    with options_suggested():
        wanted = None if experiment is None else Plan.read(experiment, axes, seeds=seeds, **plan)
    found = stored(wanted, seeds=seeds, store=store, all_versions=all_versions, where=where)
    for version, num in sorted(found.left_out.items(), key=str):
        echo(
            f"left out: {counted(num, 'trial')} of RESULTS_VERSION {version}; --all-versions shows them apart", err=True
        )
    return found


def check_file(store: str | None, target: Path, *, what: str) -> None:
    """Refuse to write over the store itself."""
    from subtx_toy.api.arguments import store_path
    from subtx_toy.store.place import check_not_the_store

    check_not_the_store(store_path(store), target, what=what)
