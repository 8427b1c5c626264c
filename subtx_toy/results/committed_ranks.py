"""The packaged rank table of predictors: what each was worth over the settings of the experiment ``predictors``."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from subtx_toy.settings.packaged import FOLDER
from subtx_toy.stats import Interval

PATH = FOLDER / "predictor-ranks.json"
"""Written by ``experiments/studies/predictor_ranks.py`` from the committed runs."""


@dataclass(frozen=True)
class CommittedRank:
    """One predictor's rank correlation with transfer, and its values in the settings behind it."""

    rho: float
    interval: Interval
    rho_given_num_aux: float | None
    values: tuple[float, ...]

    def share_below(self, value: float) -> float:
        """Return the share of the table's settings whose value is smaller, in [0, 1], ties by half; nan of nan."""
        if math.isnan(value):
            return math.nan
        below = sum(one < value for one in self.values) + 0.5 * sum(one == value for one in self.values)
        return below / len(self.values)


@dataclass(frozen=True)
class RankTable:
    """The ranks by predictor, and over how many settings and seeds of which data they were found."""

    ranks: Mapping[str, CommittedRank]
    num_settings: int
    num_seeds: int
    dataset: str
    num_train: int


@functools.cache
def rank_table() -> RankTable:
    """Return the packaged table."""
    found: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    ranks = {
        one["name"]: CommittedRank(
            one["rho"],
            Interval(*one["ci95"]),
            one["rho_given_num_aux"],
            tuple(setting[one["name"]] for setting in found["settings"]),
        )
        for one in found["predictors"]
    }
    config = found["config"]
    return RankTable(ranks, found["num_settings"], found["num_seeds"], config["dataset"], config["num_train"])
