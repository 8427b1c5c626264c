"""Rank the predictors over the committed runs of `experiments/predictors.toml`, for `subtx-toy predict`.

    python experiments/studies/predictor_ranks.py

Reads docs/results/many-steps/predictors.csv, which `subtx-toy run predictors` and `subtx-toy results export` wrote, and
writes experiments/predictor-ranks.json.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.results.prediction_table import SettingMeans, rank, ranks_document, setting_means
from subtx_toy.settings.base import run_id
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.prediction import PredictionConfig

ROOT = Path(__file__).parents[2]
RUNS, TARGET = ROOT / "docs/results/many-steps/predictors.csv", ROOT / "experiments/predictor-ranks.json"


def settings_of(path: Path) -> list[SettingMeans]:
    """Return the means over seeds of every setting in an export.

    Raises:
        InputError: if a row's content key is not that of its settings, its seed and its data.
    """
    runs = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            names = [name for name in PredictionConfig.model_fields if name in row]
            config = PredictionConfig.model_validate_strings({name: row[name] for name in names})
            if run_id(config, seed=int(row["seed"]), dataset_sha256=row["dataset_sha256"]) != row["run_id"]:
                raise InputError(f"{path}: run_id: {row['run_id']} is not that of its row")
            metrics = {name: float(value) for name, value in row.items() if "." in name and value}
            runs.append((config.model_dump(), metrics))
    return setting_means(runs)


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
