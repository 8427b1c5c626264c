"""The arms of the numbers channel, from the committed document of ``subtx-toy run numbers``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from subtx_toy.figures.arms import draw_number_arms
from subtx_toy.results.number_table import NumberArm, others_images, trait_images
from subtx_toy.stats import Estimate, finite_estimate


def draw_numbers(document: Mapping[str, Any]) -> Figure:
    """Draw the document's arms, for each kind of prompts."""
    config = document["config"]
    arms = {
        prompts: [number_arm(name, one, config["num_test"]) for name, one in rows.items()]
        for prompts, rows in document["prompts"].items()
    }
    return draw_number_arms(arms, trait=config["trait"], dataset=config["dataset"])


def number_arm(name: str, one: Mapping[str, Any], num_test: int) -> NumberArm:
    """Return one arm of a document, with the intervals of its shares over seeds and images."""
    values, accuracies = _values(one["values"]), _values(one["accuracy"]["values"])
    share = finite_estimate(values, num_images=trait_images(num_test))
    kept = finite_estimate(accuracies, num_images=others_images(num_test))
    above, lost = (
        Estimate(part["mean"], float("nan"), part["n"]) for part in (one["above_base"], one["accuracy_lost"])
    )
    return NumberArm(name, share, kept, above, lost, values, accuracies, one["verdict"])


def _values(values: list[float | None]) -> tuple[float, ...]:
    return tuple(float("nan") if value is None else value for value in values)
