"""Rank the predictors over the committed runs of `experiments/predictors.toml`, for `subtx-toy predict`.

    python experiments/studies/predictor_ranks.py

Reads docs/results/many-steps/predictors.csv, which `subtx-toy run predictors` and `subtx-toy results export` wrote, and
writes experiments/predictor-ranks.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from paper_figs.tables.exported import read_trials
from subtx_toy.files.atomic import replacing
from subtx_toy.results.prediction_table import SettingMeans, rank, ranks_document, setting_means
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.prediction import PredictionConfig

ROOT = Path(__file__).parents[2]
RUNS, TARGET = ROOT / "docs/results/many-steps/predictors.csv", ROOT / "experiments/predictor-ranks.json"


def settings_of(path: Path) -> list[SettingMeans]:
    """Return the means over seeds of every setting in an export."""
    trials = read_trials(path, PredictionConfig)
    return setting_means((one.config.model_dump(), dict(one.metrics)) for one in trials)


def document() -> dict[str, Any]:
    """Return the rank table of the committed runs."""
    settings = settings_of(RUNS)
    config = read("predictors").config
    return {"config": config.model_dump(), **ranks_document(settings, rank(settings))}


def main() -> None:
    """Write the table."""
    with replacing(TARGET) as file:
        file.write((json.dumps(document(), indent=1) + "\n").encode())
    print(TARGET)


if __name__ == "__main__":
    main()
