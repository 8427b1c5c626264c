"""The packaged rank table of predictors: what each was worth over the settings of the experiment ``predictors``."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subtx_toy.results.presentation import setting_text
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
    """The ranks by predictor, and over how many settings and seeds of which data they were found.

    ``values`` has for each setting of the reference protocol the different values in the table.
    """

    ranks: Mapping[str, CommittedRank]
    num_settings: int
    num_seeds: int
    dataset: str
    num_train: int
    values: Mapping[str, tuple[Any, ...]]

    def outside(self, config: Mapping[str, object]) -> list[str]:
        """Return what the table has in each setting in which ``config`` is outside of it.

        A number is inside between the smallest and the largest of the table, anything else where the table has it.
        """
        return [
            f"{name}={_range_text(known)}"
            for name, known in self.values.items()
            if name not in _NOT_RANKED
            and (name != "student_noise_unit" or config.get("student_noise"))
            and name in config
            and not _is_inside(config[name], known)
        ]


_NOT_RANKED = {"num_test", "students", "probe", "metric"}  # neither a predictor nor the transfer depends on them


def _is_inside(value: object, known: Sequence[Any]) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value in known
    return bool(min(known) <= value <= max(known))


def _range_text(known: Sequence[Any]) -> str:
    if len(known) == 1 or not all(isinstance(one, int | float) for one in known):
        return " or ".join(map(setting_text, known))
    return f"{setting_text(min(known))} to {setting_text(max(known))}"


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
    points = [setting["at"] for setting in found["settings"]]
    values = {name: tuple(dict.fromkeys(point.get(name, value) for point in points)) for name, value in config.items()}
    return RankTable(ranks, found["num_settings"], found["num_seeds"], config["dataset"], config["num_train"], values)
