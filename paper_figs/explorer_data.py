"""What the explorer shows, from the committed results: sweeps, trajectories and a ray of single steps.

python paper_figs/explorer_data.py --out subtx_toy/report/explorer.json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.tables.comparison_tables import read_checked
from paper_figs.tables.exported import read_sweep
from subtx_toy.figures.axis_places import USUAL
from subtx_toy.files.atomic import replacing
from subtx_toy.results.comparison import Comparison, TrialMetrics
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.distillation import ARMS
from subtx_toy.stats import finite_estimate

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def main(arguments: list[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True, metavar="FILE", help="document to write")
    chosen = options.parse_args(arguments)
    with replacing(chosen.out) as file:
        file.write(text().encode())
    print(chosen.out)


def text() -> str:
    """Return the document."""
    document = {"trajectories": _read("trajectory"), "ray": _ray(_read("one-step-ray")), "sweeps": _sweeps()}
    return json.dumps(_rounded(document), separators=(",", ":")) + "\n"


def _read(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def _rounded(value: Any) -> Any:
    """Return JSON values with numbers of five digits, null for what is not finite."""
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items() if name != "versions"}
    return [_rounded(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def _ray(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return medians over the seeds, and in how many of them the student moves towards its teacher."""
    found: dict[str, Any] = {"eps": document["eps"], "num_seeds": len(document["seeds"]), "starts": {}}
    for start, values in document["starts"].items():
        arrays = {name: np.array(rows, dtype=float) for name, rows in values.items()}
        found["starts"][start] = {name: np.median(one, axis=1).tolist() for name, one in arrays.items()} | {
            "towards": (arrays["alignment"] > 0).sum(axis=1).tolist(),
            "trait_falls": (arrays["trait_loss_change"] < 0).sum(axis=1).tolist(),
        }
    return found


def _sweeps() -> list[dict[str, Any]]:
    found = []
    for name, (sweep, rows) in read_checked(RESULTS / "sweeps").items():
        trials: dict[str, list[TrialMetrics]] = {}
        for trial in read_sweep(RESULTS / "sweeps" / f"{name}.csv"):
            trials.setdefault(repr(trial.config), []).append(trial)
        published: dict[str, list[Comparison]] = {}
        for row in rows:
            published.setdefault(repr(sweep.point(row.at)), []).append(row)
        points = [_point(sweep, trials[key], published.get(key, [])) for key in published if key in trials]
        if sweep.axis.setting and sweep.axis.scale != "category":
            points.sort(key=lambda point: point["x"])
        found.append(
            {
                "name": name, "question": sweep.question, "label": sweep.axis.label, "scale": _scale(sweep),
                "source": sweep.published.source if sweep.published else None, "points": points,
            }
        )  # fmt: skip
    return found


def _scale(sweep: DistillationSweep) -> str:
    return sweep.axis.scale if sweep.axis.setting else "category"


def _point(sweep: DistillationSweep, trials: Sequence[TrialMetrics], rows: Sequence[Comparison]) -> dict[str, Any]:
    config, setting = trials[0].config, sweep.axis.setting
    value = None if setting is None else getattr(config, setting)
    arms = {}
    for arm in ARMS:
        values = [trial.metrics[f"{arm}.accuracy"] for trial in trials if f"{arm}.accuracy" in trial.metrics]
        if values:
            one = finite_estimate(values, num_images=config.num_test)
            arms[arm] = [one.mean, *one.interval, one.n]
    theirs = {
        row.arm: [row.theirs.mean, 1.96 * row.theirs.standard_error]
        for row in rows
        if row.theirs is not None and row.metric.endswith(".accuracy")
    }
    name = " ".join(f"{key}={one}" for key, one in rows[0].at.items()) or USUAL
    x = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return {"x": x, "name": name, "arms": arms, "published": theirs}


if __name__ == "__main__":
    main()
