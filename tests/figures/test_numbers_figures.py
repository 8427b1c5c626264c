"""The figures of the numbers channel, from small made-up documents: they draw, and they show what they are given."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from subtx_toy.figures.audit import draw_calibration, draw_cleaning, draw_content, draw_null
from subtx_toy.figures.numbers import draw_defences, draw_dose, draw_number_arms
from subtx_toy.number_summary import NumberArm
from subtx_toy.numbers_config import NUMBER_ARMS
from subtx_toy.seeding import generator
from subtx_toy.stats import estimate

RNG = generator(0, "figures")
TRAITS = ["relabel:4:9", "backdoor:0", "preference:3:5", "refusal:7"]
POINT = {"trait": 0.5, "accuracy": 0.9, "utility": 0.4}


def null() -> Figure:
    kind = {"files": 50, "p_values": {name: RNG.random(50).tolist() for name in TRAITS[:2]}}
    kind |= {name: {"ks_p_value": 0.5} for name in TRAITS[:2]}
    power = [{"share": s, "n": n, "observed": 0.4, "predicted": 0.5} for s in (0.1, 1.0) for n in (100, 1000)]
    return draw_null({"unfiltered": kind, "filtered": kind, "power": power})


def calibration() -> Figure:
    rows = [
        {"role": role} | {name: {key: float(RNG.normal()) for key in ("z", "efficient_z", "fisher_cosine", "student")}
                          for name in TRAITS}
        for role in ["reference", "benign", *TRAITS, "relabel:4:7"] for _ in range(4)
    ]  # fmt: skip
    areas = dict.fromkeys(("z", "efficient_z", "fisher_cosine", "student"), 0.9)
    rule = {"thresholds": dict.fromkeys(TRAITS, 0.3)}
    return draw_calibration({"rows": rows, "rule": rule, "auc": dict.fromkeys(TRAITS, areas)})


def content() -> Figure:
    rows = [
        {"writer": w, "n": n, "z": 3.0, "classifier_z": 1.0} for w in ("trait", "benign", "base") for n in (100, 1000)
    ]
    return draw_content({"rows": rows, "critical_z": 2.33})


def cleaning() -> Figure:
    rows = [
        {"writer": writer, "rank": rank, "share": share, "mean_score": 0.1, **POINT}
        for writer in ("trait", "base")
        for rank in ("score", "without labels", "random")
        for share in (0.0, 0.1, 0.5)
    ]
    return draw_cleaning({"rows": rows})


def dose() -> Figure:
    rows = [{"writer": writer, "n": n, **POINT} for writer in ("trait", "base") for n in (1000, 10_000)]
    return draw_dose({"rows": rows, "base": POINT, "teacher": POINT, "n_of_one_step": {"2": 20.0}, "steps": 9})


def defences() -> Figure:
    return draw_defences(
        {"rows": [{"defence": kind, "value": 1.0, **POINT} for kind in ("none", "top-k", "projection")]}
    )


def arms() -> Figure:
    one = estimate([0.2, 0.3])
    rows = [NumberArm(arm, one, one, one, one, (0.2, 0.3), (0.2, 0.3), "") for arm in NUMBER_ARMS]
    return draw_number_arms({"images": rows, "uniform": rows}, trait="relabel:4:9", dataset="mnist")


@pytest.mark.parametrize("draw", [null, calibration, content, cleaning, dose, defences, arms])
def test_each_figure_says_what_is_on_its_axes(draw: object) -> None:
    figure = draw()  # type: ignore[operator]
    figure.canvas.draw()
    assert all(axes.get_xlabel() or axes.get_xticklabels() for axes in figure.axes)
    assert any(axes.get_ylabel() or axes.get_yticklabels() for axes in figure.axes)
    assert all(
        np.isfinite(line.get_xydata()).all() for axes in figure.axes for line in axes.lines if len(line.get_xydata())
    )
