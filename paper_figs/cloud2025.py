"""Accuracy of the six arms next to Fig. 10b of Cloud et al. 2025, from the committed results or from a store."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.output import parser, write
from subtx_toy.figures.arms import draw_arms
from subtx_toy.results.comparison import accuracies_by_arm, compare
from subtx_toy.settings.definitions import Distillation
from subtx_toy.settings.experiment_file import read_distillation
from subtx_toy.store import Store

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "cloud2025-mnist.json"


def committed() -> Mapping[str, Sequence[float]]:
    """Return the committed accuracies by arm, one per seed."""
    arms = json.loads(RESULTS.read_text(encoding="utf-8"))["arms"]
    return {arm: one["values"] for arm, one in arms.items()}


def stored(experiment: Distillation, path: Path) -> Mapping[str, Sequence[float]]:
    """Return the accuracies of the experiment's records in a store."""
    if not path.exists():
        sys.exit(f"no results database {path}")
    with Store(path, read_only=True) as store:
        records = store.find(experiment.config)
    if not records:
        sys.exit(f"no records of cloud2025 in {path}; make them with: subtx-toy run cloud2025 --seeds 0:20")
    return accuracies_by_arm(records)


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--store", type=Path, help="a results database, in place of the committed results")
    chosen = options.parse_args(arguments)
    experiment = read_distillation("cloud2025")
    values = committed() if chosen.store is None else stored(experiment, chosen.store)
    rows = compare(experiment, experiment.config, values)
    source = None if experiment.published is None else experiment.published.source
    write(draw_arms(rows, dataset=experiment.config.dataset, source=source), "cloud2025-mnist", chosen)


if __name__ == "__main__":
    main()
