"""One step on images: orders in eps, and the window of the student's step; from the committed results or a store."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.output import parser, write
from subtx_toy.figures.one_step import draw_one_step
from subtx_toy.results.one_step_table import StartSummary, by_start, over_student_lr
from subtx_toy.settings import experiment_file as definition
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.store import Store

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "one-step-mnist.json"
Summary = tuple[Sequence[StartSummary], dict[str, np.ndarray]]


def committed() -> Summary:
    """Return the committed results as the figure takes them."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    starts = [
        StartSummary(
            one["student_init"], one["perturbation"], np.array(one["eps"]),
            {name: np.array(values, dtype=float) for name, values in one["values"].items()},
        )
        for one in found["starts"]
    ]  # fmt: skip
    return starts, {name: np.array(values, dtype=float) for name, values in found["student_lr"].items()}


def stored(path: Path) -> Summary:
    """Summarise the experiment's records in a store."""
    experiment = definition.read("one-step")
    if not path.exists():
        sys.exit(f"no results database {path}")
    with Store(path, read_only=True) as store:
        records = [record for config in experiment.configs() for record in store.find(config)]
    if not records:
        sys.exit(f"no records of one-step in {path}; make them with: subtx-toy run one-step")
    config = experiment.config
    assert isinstance(config, OneStepConfig)
    return by_start(records, student_lr=config.student_lr), over_student_lr(records, eps=config.eps)


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--store", type=Path, help="a results database, in place of the committed results")
    chosen = options.parse_args(arguments)
    starts, over_lr = committed() if chosen.store is None else stored(chosen.store)
    write(draw_one_step(starts, over_lr, dataset="mnist"), "one-step-mnist", chosen)


if __name__ == "__main__":
    main()
