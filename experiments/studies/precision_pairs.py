"""Pair the trials of `subtx-toy run precision` seed by seed: what bfloat16 and noise of 256 levels change, by arm.

python experiments/studies/precision_pairs.py RESULTS.sqlite docs/results/precision.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from subtx_toy.results.rows import select
from subtx_toy.settings import experiment_file as definition
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.stats import estimate
from subtx_toy.store import Store
from subtx_toy.store.record import versions

Cell = tuple[str, bool]
PLAIN: Cell = ("fp32", False)
OTHERS: tuple[Cell, ...] = (("bf16", False), ("fp32", True), ("bf16", True))


def accuracies(store: Store) -> dict[Cell, dict[int, dict[str, float]]]:
    """Return the accuracy of each arm, by products and noise grid and by seed."""
    selection = select(store, wanted=definition.read("precision").configs())
    found: dict[Cell, dict[int, dict[str, float]]] = {}
    for result in selection.results:
        config = selection.config(result)
        assert isinstance(config, RunConfig)
        found.setdefault((config.precision, config.noise_grid), {})[result.seed] = dict(result.metrics)
    return found


def paired(one: dict[int, dict[str, float]], other: dict[int, dict[str, float]]) -> dict[str, Any]:
    """Return mean difference, one minus other, with its 95 % t-interval and the spread over seeds, by arm."""
    seeds = sorted(one.keys() & other.keys())
    found: dict[str, Any] = {"n": len(seeds), "arms": {}}
    for metric in one[seeds[0]]:
        gap = estimate([one[seed][metric] - other[seed][metric] for seed in seeds])
        found["arms"][metric.removesuffix(".accuracy")] = {"mean": gap.mean, "ci95": gap.ci95}
    return found


def main(store_path: Path, target: Path) -> None:
    """Compare, print and write down."""
    with Store(store_path) as store:
        found = accuracies(store)
    missing = [cell for cell in (PLAIN, *OTHERS) if cell not in found]
    if missing:
        sys.exit(f"{store_path}: no trials of {missing}; make them with: subtx-toy run precision")
    document = {
        "what": "accuracy minus that of fp32 and continuous noise, same seed: same inits, orders and images",
        "differences": {
            f"{precision}{', 256 grey levels' if grid else ''}": paired(found[precision, grid], found[PLAIN])
            for precision, grid in OTHERS
        },
        "versions": versions(),
    }
    target.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    for name, differences in document["differences"].items():  # type: ignore[attr-defined]
        print(f"{name}, {differences['n']} seeds")
        for arm, gap in differences["arms"].items():
            print(f"  {arm:<14}{gap['mean']:+.4f} +- {gap['ci95']:.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
