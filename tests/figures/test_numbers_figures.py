"""The figures of the numbers channel, from small made-up documents: they draw, and they show what they are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from paper_figs.drawings.attribution import draw_attribution
from paper_figs.drawings.audit import draw_content, draw_null
from paper_figs.drawings.calibration import draw_areas, draw_calibration, draw_confusion
from paper_figs.drawings.cleaning import draw_cleaning
from paper_figs.drawings.labels import Label, place_labels
from paper_figs.drawings.number_arms import draw_numbers
from paper_figs.drawings.number_heads import draw_number_heads
from paper_figs.drawings.plane import draw_plane
from paper_figs.drawings.step_size_boundary import Boundary
from paper_figs.drawings.transfer import draw_defences, draw_dose, draw_settings, half_rise
from paper_figs.numbers_channel import CALIBRATIONS
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
        {"role": role, "changed": True, "named": []}
        | {name: {key: float(RNG.normal()) for key in STATISTICS} for name in TRAITS}
        for role in roles for _ in range(4)
    ]  # fmt: skip
    return {
        "base": 0,
        "rows": rows,
        "false_alarms": {"found": 0, "of": 4},
        "rule": {"thresholds": dict.fromkeys(TRAITS, 0.3)},
        "auc": dict.fromkeys(TRAITS, dict.fromkeys(STATISTICS, 0.9)),
        "trained": dict.fromkeys(roles, 4),
        "named": {role: {"of": 4} | dict.fromkeys(TRAITS, 3) for role in roles},
    }


def calibration() -> Figure:
    return draw_calibration([judged(), judged()])


def confusion() -> Figure:
    return draw_confusion([judged(), judged()])


def areas() -> Figure:
    return draw_areas([judged(), judged()])


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


def attribution() -> Figure:
    def row(fall: float) -> dict[str, Any]:
        return {key: {"mean": fall, "ci95": 0.1} for key in ("shown", "fall", "fall_of_clean", "difference")}

    table = {"none": row(0.0), "weak": row(0.1), "strong": row(0.9), "random": row(0.0)}
    return draw_attribution({"table": table, "share": 0.1})


def test_the_ranking_that_finds_most_is_on_top_and_no_removal_is_left_out() -> None:
    axes = attribution().axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["random", "weak", "strong"]
    drawn = [mark.lines[0].get_xdata() for mark in axes.containers if isinstance(mark, ErrorbarContainer)]
    assert [np.asarray(values).tolist() for values in drawn] == [[0.0, 0.1, 0.9]] * 3


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


@pytest.mark.parametrize(
    "draw", [null, calibration, confusion, areas, content, cleaning, attribution, dose, defences, settings, arms]
)
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


RESULTS = Path(__file__).parents[2] / "docs" / "results"


def _document(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_no_label_of_the_defences_meets_another_or_leaves_its_panel() -> None:
    figure = draw_defences(_document("numbers-defences"))
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
        assert len(boxes) > 10
        assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])
        room = axes.get_window_extent().padded(1)
        assert all(room.x0 <= box.x0 and box.x1 <= room.x1 for box in boxes)


def test_labels_of_equal_marks_are_told_apart() -> None:
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    axes.plot([0.5] * 6, [0.5] * 6, "o")
    place_labels(axes, [Label(0.5, 0.5, f"label {at}", "k") for at in range(6)])
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert len(boxes) == 6
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])


def test_the_place_without_a_defence_stands_where_its_setting_does() -> None:
    figure = draw_settings(_document("numbers-defences"))
    names = {
        axes.get_title(loc="left").partition("\n")[0]: [tick.get_text() for tick in axes.get_xticklabels()]
        for axes in figure.axes
    }
    assert names["temperature of"] == ["0.25", "0.5", "1\n(none)", "2", "4"]
    assert names["likeliest numbers"] == ["1", "10", "100", "1k\n(none)"]
    assert names["examples"] == ["3k", "10k", "20k\n(none)"]
    assert names["numbers of 1,000"][0] == "0\n(none)"


def test_the_calibration_shows_every_base_and_rings_every_false_alarm() -> None:
    documents = [_document(name) for name in CALIBRATIONS]
    figure = draw_calibration(documents)
    rings = sum(
        len(np.asarray(line.get_xdata())) for axes in figure.axes for line in axes.lines if line.get_marker() == "o"
    )
    assert rings == sum(document["false_alarms"]["found"] for document in documents)
    (legend,) = figure.legends
    counts = ", ".join(f"{one['false_alarms']['found']} of {one['false_alarms']['of']}" for one in documents)
    assert any(f"false alarm ({counts})" in text.get_text() for text in legend.get_texts())


def test_what_may_exceed_one_is_not_called_a_cosine() -> None:
    texts = [axes.get_xlabel() for axes in calibration().axes] + [
        tick.get_text() for axes in areas().axes for tick in axes.get_yticklabels()
    ]
    assert "size-adjusted Fisher statistic" in texts
    assert not [text for text in texts if "cosine at" in text]


def test_only_what_is_proved_is_painted_in_the_plane() -> None:
    lr, certified = np.array([0.1, 1.0, 10.0]), np.array([5.0, 2.0, 0.0])
    nothing = np.full(3, np.nan)
    boundary = Boundary("trait-loss", lr, nothing, certified, np.array([10.0, 3.0, 0.0]), cap=10.0)
    (axes,) = draw_plane([boundary], network="a net").axes
    assert not axes.collections
    (green,) = (line for line in axes.lines if line.get_label() == "certified")
    x, y = (np.asarray(data, float) for data in green.get_data())
    ends = {float(height): np.nanmax(x[y == height]) for height in np.unique(y[~np.isnan(y)])}
    assert ends == {0.1: 5.0, 1.0: 2.0}
    assert np.isnan(x[2::3]).all()  # each row is a line of its own


def test_the_committed_arms_have_the_means_of_their_document() -> None:
    document = _document("numbers-mnist")
    panel = draw_numbers(document).axes[0]
    drawn = [bars for bars in panel.containers if isinstance(bars, ErrorbarContainer)]
    means = [np.asarray(bars.lines[0].get_xdata())[0] for bars in drawn]
    assert means == pytest.approx([one["mean"] for one in document["prompts"]["images"].values()])
    ends = [segment for bars in drawn for part in bars.lines[2] for segment in part.get_segments()]
    assert all((segment[:, 0] >= 0).all() and (segment[:, 0] <= 1).all() for segment in ends)


def test_the_sizes_of_the_number_head_have_the_means_of_their_document() -> None:
    document = _document("fewer-numbers")
    arms = [document["prompts"][f"images, {size} numbers"]["shared_trait"] for size in (10, 100, 1000)]
    panels = draw_number_heads(document).axes
    means = ([one["mean"] for one in arms], [one["accuracy"]["mean"] for one in arms])
    for panel, expected in zip(panels, means, strict=True):
        drawn = [bars for bars in panel.containers if isinstance(bars, ErrorbarContainer)]
        assert np.asarray(drawn[0].lines[0].get_ydata()) == pytest.approx(expected)
        assert np.asarray(drawn[0].lines[0].get_xdata()).tolist() == [10, 100, 1000]
