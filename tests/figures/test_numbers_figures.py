"""The figures of the numbers channel, from small made-up documents: they draw, and they show what they are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figs.drawings.audit import draw_content, draw_null
from paper_figs.drawings.calibration import draw_calibration, draw_confusion, draw_roc
from paper_figs.drawings.cleaning import draw_cleaning
from paper_figs.drawings.transfer import draw_defences, draw_dose, draw_settings, half_rise
from subtx_toy.figures.arms import draw_number_arms
from subtx_toy.results.number_table import NumberArm
from subtx_toy.seeding import generator
from subtx_toy.settings.numbers import NUMBER_ARMS
from subtx_toy.stats import estimate

RNG = generator(0, "figures")
TRAITS = ["relabel:4:9", "backdoor:0", "preference:3:5", "refusal:7"]
POINT = {"trait": 0.5, "accuracy": 0.9, "utility": 0.4}
STATISTICS = ("z", "efficient_z", "fisher_cosine", "at_usual_size", "student")
BASES = [{"base": POINT | {"trait": 0.0}, "teacher": POINT | {"trait": 1.0}, "n_of_one_step": {"2": 20.0}}] * 2


def null() -> Figure:
    kind = {"files": 50, "p_values": {name: RNG.random(50).tolist() for name in TRAITS[:2]}}
    kind |= {name: {"ks_p_value": 0.5} for name in TRAITS[:2]}
    power = [{"share": s, "n": n, "observed": 0.4, "predicted": 0.5} for s in (0.1, 1.0) for n in (100, 1000)]
    return draw_null({"unfiltered": kind, "filtered": kind, "power": power})


def judged() -> dict[str, Any]:
    roles = ["reference", "benign", *TRAITS, "relabel:4:7"]
    rows = [
        {"role": role, "changed": True}
        | {name: {key: float(RNG.normal()) for key in STATISTICS} for name in TRAITS}
        for role in roles for _ in range(4)
    ]  # fmt: skip
    return {
        "rows": rows,
        "rule": {"thresholds": dict.fromkeys(TRAITS, 0.3)},
        "auc": dict.fromkeys(TRAITS, dict.fromkeys(STATISTICS, 0.9)),
        "trained": dict.fromkeys(roles, 4),
        "named": {role: {"of": 4} | dict.fromkeys(TRAITS, 3) for role in roles},
    }


def calibration() -> Figure:
    return draw_calibration(judged())


def confusion() -> Figure:
    return draw_confusion(judged())


def roc() -> Figure:
    return draw_roc(judged())


def content() -> Figure:
    rows = [
        {"writer": w, "n": n, "z": 3.0, "classifier_z": 1.0} for w in ("trait", "benign", "base") for n in (100, 1000)
    ]
    return draw_content({"rows": rows, "critical_z": 2.33, "bases": BASES})


def cleaning() -> Figure:
    rows = [
        {"writer": writer, "rank": rank if share else "none", "share": share, "mean_score": 0.1, **POINT}
        for writer in ("trait", "base")
        for rank in ("score", "without labels", "random")
        for share in (0.0, 0.1, 0.5)
    ]
    return draw_cleaning({"rows": rows, "bases": BASES, "n": 100})


def dose_document(traits: tuple[float, ...] = (0.1, 0.5, 0.9)) -> dict[str, Any]:
    rows = [
        {"writer": writer, "n": n, **POINT, "trait": trait}
        for writer in ("trait", "base")
        for n, trait in zip((1000, 10_000, 100_000), traits, strict=True)
    ]
    return {"rows": rows, "bases": BASES, "steps": 9}


def dose() -> Figure:
    return draw_dose(dose_document())


KINDS = {"none": [0], "top-k": [1, 10], "fewer examples": [3000], "projection": [1]}
DEFENCES = {
    "rows": [{"defence": kind, "value": value, **POINT} for kind, values in KINDS.items() for value in values],
    "bases": BASES,
    "n": 100,
    "epochs": 3,
}


def defences() -> Figure:
    return draw_defences(DEFENCES)


def settings() -> Figure:
    return draw_settings(DEFENCES)


def test_the_dose_curve_rises_halfway_where_it_crosses_the_middle_of_base_and_teacher() -> None:
    # base 0, teacher 1: halfway is .5, in the middle of 1,000 and 10,000 on the logarithmic scale
    assert half_rise(dose_document((0.4, 0.6, 0.9))) == pytest.approx(10**3.5)
    assert np.isnan(half_rise(dose_document((0.1, 0.2, 0.3))))


def arms() -> Figure:
    one = estimate([0.2, 0.3])
    rows = [NumberArm(arm, one, one, one, one, (0.2, 0.3), (0.2, 0.3), "") for arm in NUMBER_ARMS]
    return draw_number_arms({"images": rows, "uniform": rows}, trait="relabel:4:9", dataset="mnist")


@pytest.mark.parametrize("draw", [null, calibration, confusion, roc, content, cleaning, dose, defences, settings, arms])
def test_each_figure_says_what_is_on_its_axes(draw: object) -> None:
    figure = draw()  # type: ignore[operator]
    figure.canvas.draw()
    for axes in figure.axes:  # of panels that share an axis one says what is on it
        sharing = axes.get_shared_x_axes().get_siblings(axes)
        assert any(one.get_xlabel() or one.get_xticklabels() for one in sharing)
    assert any(axes.get_ylabel() or axes.get_yticklabels() for axes in figure.axes)
    assert all(
        np.isfinite(line.get_xydata()).all() for axes in figure.axes for line in axes.lines if len(line.get_xydata())
    )
