"""Draw the settings of `experiments/predictors.toml` and write its grid.

    python experiments/studies/predictor_settings.py

The first 36 have the budget of the file's own [config]; in the other 30 step size, epochs and batch are drawn too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from subtx_toy.files.atomic import replacing
from subtx_toy.seeding import generator

PAGE = Path(__file__).parents[1] / "predictors.toml"
MARK = "# The grid is written by experiments/studies/predictor_settings.py.\n"
NUM_FIXED, NUM_FREE = 36, 30

INPUTS: list[dict[str, Any]] = [
    {"inputs": "uniform"},
    {"inputs": "gaussian"},
    {"inputs": "uniform", "noise_blur": 1.0},
    {"inputs": "uniform", "noise_dim": 50},
    {"inputs": "uniform", "noise_dim": 200},
    {"inputs": "images"},
    {"inputs": "shuffled_images"},
]
SHAPES: dict[str, list[Any]] = {
    "width": [32, 64, 128],
    "depth": [1, 2],
    "num_aux": [2, 3, 5, 10, 25],
    "activation": ["relu", "relu", "tanh"],
    "init_scale": [0.5, 1.0, 1.0, 2.0],
    "student_noise": [0.0, 0.0, 0.0, 0.1, 0.3],
    "loss": ["kl", "squared_error"],
}
BUDGETS: dict[str, list[Any]] = {
    "lr": [0.0005, 0.001, 0.002, 0.004],
    "batch_size": [50, 100, 200],
    "teacher_epochs": [1, 3, 6],
    "student_epochs": [1, 3, 6],
}


def settings() -> list[dict[str, Any]]:
    """Return all settings, each different from every other one."""
    rng, found = generator(0, "predictor settings"), list[dict[str, Any]]()
    while len(found) < NUM_FIXED + NUM_FREE:
        axes = SHAPES if len(found) < NUM_FIXED else SHAPES | BUDGETS
        one = {name: _one_of(rng, values) for name, values in axes.items()} | _one_of(rng, INPUTS)
        if one not in found:
            found.append(one)
    return found


def _one_of(rng: np.random.Generator, values: list[Any]) -> Any:
    return values[int(rng.integers(len(values)))]


def main() -> None:
    """Rewrite the grid of the experiment file."""
    head, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    assert mark, "the file has lost the mark of its grid"
    with replacing(PAGE) as file:
        file.write((head + grid()).encode())
    print(PAGE)


def grid() -> str:
    """Return the part of the file from the mark on."""
    tables = [{name: [value] for name, value in one.items()} for one in settings()]
    return MARK + "".join(f"\n[[grid]]\n{_flat(table)}" for table in tables)


def _flat(table: dict[str, list[Any]]) -> str:
    return "".join(f"{name} = [{tomli_w.dumps({'value': values[0]}).strip()[8:]}]\n" for name, values in table.items())


if __name__ == "__main__":
    main()
