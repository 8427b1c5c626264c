"""One step on images: orders in eps, and the window of the student's step; from `subtx-toy run one-step`."""

from __future__ import annotations

import sys
from pathlib import Path

from subtx_toy.figures.one_step import draw_one_step
from subtx_toy.figures.style import save
from subtx_toy.results.one_step_table import by_start, over_student_lr
from subtx_toy.settings import experiment_file as definition
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.store import Store, default_path


def main(store_path: Path, target: Path) -> None:
    experiment = definition.read("one-step")
    if not store_path.exists():
        sys.exit(f"no results database {store_path}")
    with Store(store_path, read_only=True) as store:
        records = [record for config in experiment.configs() for record in store.find(config)]
    if not records:
        sys.exit(f"no records of one-step in {store_path}; make them with: subtx-toy run one-step")
    config = experiment.config
    assert isinstance(config, OneStepConfig)
    starts = by_start(records, student_lr=config.student_lr)
    save(draw_one_step(starts, over_student_lr(records, eps=config.eps), dataset=config.dataset), target)
    print(target)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        Path(arguments[0]) if arguments else default_path(),
        Path(arguments[1]) if len(arguments) > 1 else Path(__file__).with_suffix(".pdf"),
    )
