"""``subtx-toy predict``: how a setting ranks by what predicts its transfer, before any student is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from subtx_toy.cli.assignments import settings_for
from subtx_toy.cli.display import working
from subtx_toy.cli.echo import echo
from subtx_toy.cli.experiments import complete_experiment
from subtx_toy.cli.options import DATA_DIR, JSON
from subtx_toy.files.json_text import json_text


@click.command(short_help="Predict how a setting's transfer ranks, without training a student.")
@click.argument("experiment", shell_complete=complete_experiment)
@click.argument("overrides", metavar="[SETTING=VALUE]...", nargs=-1)
@click.option("--seeds", metavar="SEEDS", default="0", show_default=True, help="Seeds, such as 0:3 or 3,5.")
@click.option("--quick", is_flag=True, help="The experiment's quick settings: drawn digits, a small network.")
@click.option("--linear-student", is_flag=True, help="Also train the linearised student; it costs a run.")
@DATA_DIR
@JSON
def predict(
    experiment: str,
    overrides: tuple[str, ...],
    *,
    seeds: str,
    quick: bool,
    linear_student: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Train the teacher of EXPERIMENT and compute what predicts the transfer to its student on auxiliary logits.

    Each predictor stands next to its rank correlation with transfer over the settings of the experiment `predictors`,
    with a 95 % interval. They rank settings; none of them says what accuracy a student will reach.

    SETTING=VALUE changes a setting, as in `subtx-toy run`. For an experiment with a grid, choose one of
    its points in the same way.

    Example: subtx-toy predict cloud2025 num_aux=10
    """
    from subtx_toy.api.predict import predict as compute
    from subtx_toy.results.presentation import wrapped

    changes: dict[str, Any] = settings_for(compute, overrides)
    with working() as display:
        found = compute(
            experiment, seeds=seeds, quick=quick, linear_student=linear_student, data_dir=data_dir,
            **(display | changes),
        )  # fmt: skip
    echo(json_text(found.document()) if as_json else f"{wrapped(found.conclusion)}\n\n{found.table}")
