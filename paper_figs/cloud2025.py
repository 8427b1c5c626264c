"""Accuracy of the six arms beside Fig. 10b of Cloud et al. 2025, from the records of `subtx-toy run cloud2025`."""

from __future__ import annotations

import sys
from pathlib import Path

from subtx_toy.figures.arms import draw_arms
from subtx_toy.figures.style import save
from subtx_toy.results.comparison import accuracies_by_arm, compare
from subtx_toy.settings.experiment_file import read_distillation
from subtx_toy.store import Store, default_path


def main(store_path: Path, target: Path) -> None:
    experiment = read_distillation("cloud2025")
    if not store_path.exists():
        sys.exit(f"no results database {store_path}")
    with Store(store_path, read_only=True) as store:
        records = store.find(experiment.config)
    if not records:
        sys.exit(f"no records of cloud2025 in {store_path}; make them with: subtx-toy run cloud2025 --seeds 0:20")
    rows = compare(experiment, experiment.config, accuracies_by_arm(records))
    source = None if experiment.published is None else experiment.published.source
    save(draw_arms(rows, dataset=experiment.config.dataset, source=source), target)
    print(target)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    default_target = Path(__file__).with_suffix(".pdf")
    main(
        Path(arguments[0]) if arguments else default_path(),
        Path(arguments[1]) if len(arguments) > 1 else default_target,
    )
