"""The figure of a sweep: what it shows for every packaged one, from made-up findings."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from subtx_toy.figures import style
from subtx_toy.figures.panel import fit_side_by_side
from subtx_toy.figures.points import draw_points
from subtx_toy.protocols.protocol import protocol_of
from subtx_toy.results.comparison import TrialMetrics, compare_sweep
from subtx_toy.results.comparison_table import ComparisonSummary
from subtx_toy.settings import experiment_file as definition
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.packaged import names
from subtx_toy.settings.published import full_name

SWEEPS = [name for name in names() if isinstance(definition.read(name), DistillationSweep)]


def _sweep(name: str) -> DistillationSweep:
    found = definition.read(name)
    assert isinstance(found, DistillationSweep)
    return found


def _findings(sweep: DistillationSweep, n: int) -> list[TrialMetrics]:
    metrics = {"student_aux.accuracy": 0.3, "teacher.accuracy": 0.9}
    for point in sweep.published.points if sweep.published else []:
        metrics |= {full_name(metric): value[0] for metric, value in point.values.items()}
    configs = [config for config in sweep.configs() if isinstance(config, RunConfig)]
    return [TrialMetrics(config, seed, metrics) for config in configs for seed in range(n)]


@pytest.mark.parametrize("name", SWEEPS)
def test_every_packaged_sweep_can_be_drawn_and_says_what_it_shows(name: str) -> None:
    sweep = _sweep(name)
    (axes,) = draw_points(sweep, compare_sweep(sweep, _findings(sweep, 3)), dataset="mnist").axes
    figure = axes.get_figure()
    assert figure is not None
    (legend,) = [one for one in (axes.get_legend(), *figure.legends) if one is not None]
    texts = " ".join(text.get_text() for text in legend.get_texts())
    assert "n = 3" in texts
    assert "95 % interval" in texts
    place, value = axes.get_xlabel(), axes.get_ylabel()
    if figure.legends:  # a list of settings, from top to bottom
        place, value = value, place
    assert " ".join(place.split()) == sweep.axis.label != ""
    if sweep.published is not None:
        assert f"published (n = {sweep.published.n})" in texts
    assert "MNIST" in value


def test_one_seed_can_be_drawn() -> None:
    sweep = _sweep("width")
    assert draw_points(sweep, compare_sweep(sweep, _findings(sweep, 1)), dataset="mnist").axes


def test_lines_go_along_the_axis_in_whatever_order_the_points_are_listed() -> None:
    sweep = _sweep("init-scale")
    rows = compare_sweep(sweep, _findings(sweep, 3))
    (axes,) = draw_points(sweep, rows[::-1], dataset="mnist").axes
    (shuffled,) = draw_points(sweep, [*rows[2:], *rows[:2]], dataset="mnist").axes
    for drawn in (axes, shuffled):
        lines = [
            np.asarray(bars.lines[0].get_xdata()).tolist()
            for bars in drawn.containers
            if isinstance(bars, ErrorbarContainer)
        ]
        joined = [x for x in lines if len(x) > 1]
        assert joined
        assert joined == [sorted(x) for x in joined]


def test_many_names_are_a_list_whose_lines_do_not_touch() -> None:
    sweep = _sweep("squared-error-gap")
    rows = compare_sweep(sweep, _findings(sweep, 3))
    figure = draw_points(sweep, rows, dataset="mnist")
    figure.canvas.draw()
    (axes,) = figure.axes
    names = axes.get_yticklabels()
    assert len(names) == len({row.place for row in rows})
    assert len({name.get_text() for name in names}) == len(names)
    boxes = sorted((name.get_window_extent().y0, name.get_window_extent().y1) for name in names)
    assert all(below[1] < above[0] for below, above in pairwise(boxes))
    assert axes.get_position().width > 0.4
    ours = [one for one in axes.containers if isinstance(one, ErrorbarContainer) and len(one.lines[0].get_ydata()) > 1]  # type: ignore[arg-type]
    assert np.asarray(ours[0].lines[0].get_ydata()).tolist() == list(range(len(names)))


def test_the_metrics_of_a_single_point_stand_side_by_side() -> None:
    sweep = _sweep("probe")
    rows = compare_sweep(sweep, _findings(sweep, 3))
    (axes,) = draw_points(sweep, rows, dataset="mnist").axes
    assert len(axes.get_xticks()) == len({row.metric for row in rows})


def test_arms_at_one_name_hide_no_mark_of_one_another() -> None:
    sweep = _sweep("loss")
    quick = sweep.quickened()
    assert isinstance(quick, DistillationSweep)
    assert isinstance(quick.config, RunConfig)
    findings = [
        one._replace(metrics={"student_aux.accuracy": 0.3, "cross_aux.accuracy": 0.3}) for one in _findings(quick, 3)
    ]
    (axes,) = draw_points(sweep, compare_sweep(sweep, findings, base=quick.config), dataset="glyphs").axes
    drawn = [
        np.asarray(one.lines[0].get_xdata(), float) for one in axes.containers if isinstance(one, ErrorbarContainer)
    ]
    shared, cross = (x for x in drawn if len(x) > 1)
    assert (np.abs(shared - cross) > 0.2).all()
    assert (np.abs(shared - np.round(shared)) < 0.31).all()


def test_the_point_of_the_base_stands_where_the_base_that_ran_has_it() -> None:
    sweep = _sweep("num-aux")
    base = sweep.config.changed({"num_aux": 126})
    assert isinstance(base, RunConfig)
    metrics = {"student_aux.accuracy": 0.3}
    configs = [base.changed({"num_aux": num}) for num in (1, 3, 10)] + [base]
    findings = [
        TrialMetrics(RunConfig.parse(config.model_dump()), seed, metrics) for config in configs for seed in (0, 1)
    ]
    summary = ComparisonSummary(sweep, base, compare_sweep(sweep, findings, base=base), [])
    draw = protocol_of(base).draw
    assert draw is not None
    (axes,) = draw(summary).axes
    (line,) = (one for one in axes.containers if isinstance(one, ErrorbarContainer))
    assert np.asarray(line.lines[0].get_xdata(), float).tolist() == [1, 3, 10, 126]


@pytest.mark.parametrize("name", ["num-aux", "init-scale", "distill-epochs"])
def test_every_mark_of_an_axis_of_numbers_is_inside_the_panel(name: str) -> None:
    sweep = _sweep(name)
    quick = sweep.quickened()
    assert isinstance(quick, DistillationSweep)
    assert isinstance(quick.config, RunConfig)
    rows = compare_sweep(sweep, _findings(quick, 2), base=quick.config)
    figure = draw_points(sweep, rows, dataset="glyphs", base=quick.config)
    figure.canvas.draw()
    (axes,) = figure.axes
    room = axes.get_window_extent()
    for line in axes.lines:
        if line.get_marker() in ("o", "s", ".") and np.size(line.get_xdata()):
            x = line.get_transform().transform(line.get_xydata())[:, 0]
            assert (room.x0 + 2 < x).all()
            assert (x < room.x1 - 2).all()


def test_published_values_are_drawn_only_where_they_are_compared() -> None:
    sweep = _sweep("width")
    quick = sweep.quickened()
    assert isinstance(quick, DistillationSweep)
    assert isinstance(quick.config, RunConfig)
    rows = compare_sweep(sweep, _findings(quick, 3), base=quick.config)
    (axes,) = draw_points(sweep, rows, dataset="glyphs").axes
    legend = axes.get_legend()
    assert legend is not None
    assert not [text for text in legend.get_texts() if "published" in text.get_text()]


def test_no_bar_leaves_the_range_of_a_share() -> None:
    sweep = _sweep("lr")
    findings = [
        one._replace(metrics={"student_aux.accuracy": 0.001 if one.seed else 0.4}) for one in _findings(sweep, 3)
    ]
    (axes,) = draw_points(sweep, compare_sweep(sweep, findings), dataset="mnist").axes
    for bars in axes.containers:
        assert isinstance(bars, ErrorbarContainer)
        ends = [segment[:, 1] for lines in bars.lines[2] for segment in lines.get_segments()]
        assert all((end >= 0).all() and (end <= 1).all() for end in ends)


@pytest.mark.parametrize("name", SWEEPS)
@pytest.mark.parametrize("is_quick", [False, True], ids=["full", "quick"])
def test_the_legend_and_every_seed_are_inside_the_figure(name: str, is_quick: bool) -> None:
    sweep = _sweep(name)
    ran = sweep.quickened() if is_quick else sweep
    assert isinstance(ran, DistillationSweep)
    assert isinstance(ran.config, RunConfig)
    more = {"student_aux.accuracy": 0.3, "cross_aux.accuracy": 0.1} | {
        name: -0.25 for name in sweep.metrics if not name.endswith("accuracy")
    }
    findings = [one._replace(metrics={**one.metrics, **more}) for one in _findings(sweep, 2)]
    findings = [one._replace(config=config) for config in ran.configs() for one in findings[:2]]  # type: ignore[arg-type]
    figure = draw_points(sweep, compare_sweep(sweep, findings, base=ran.config), dataset="mnist", base=ran.config)
    style.rendered(figure, ".png")
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    (legend,) = legends
    assert legend is not None
    box, room = legend.get_window_extent(), figure.bbox
    assert room.x0 <= box.x0 < box.x1 <= room.x1, (box, room)
    assert room.y0 <= box.y0 < box.y1 <= room.y1, (box, room)
    for axes in figure.axes:
        is_list = axes.yaxis_inverted()
        low, _ = axes.get_xlim() if is_list else axes.get_ylim()
        drawn = [line.get_xdata() if is_list else line.get_ydata() for line in axes.lines]
        assert low < min(np.min(one) for one in drawn if np.size(one))


def test_points_that_share_their_place_on_the_axis_are_named_side_by_side() -> None:
    sweep = _sweep("shared-share")
    quick = sweep.quickened()
    assert isinstance(quick, DistillationSweep)
    assert isinstance(quick.config, RunConfig)
    rows = compare_sweep(sweep, _findings(quick, 2), base=quick.config)
    (axes,) = draw_points(sweep, rows, dataset="glyphs", base=quick.config).axes
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert names == ["usual settings", "redrawn=everything", "redrawn=everything\nredrawn_as=mixture"]
    assert axes.get_xlabel() == "share that is drawn again: 1.0"


def test_a_measure_that_is_no_share_has_a_panel_as_high_as_it_goes() -> None:
    sweep = definition.read("random-labels")
    assert isinstance(sweep, DistillationSweep)
    found = [
        TrialMetrics(sweep.config, seed, {"student_aux.accuracy": 0.3, "student_aux.bits": 2.0 + seed / 10})
        for seed in range(5)
    ]
    (axes,) = draw_points(sweep, compare_sweep(sweep, found), dataset="mnist").axes
    assert axes.get_ylim()[1] > 2.4


def test_long_names_are_a_list_too() -> None:
    assert fit_side_by_side(["usual settings", "weight_decay=0.001", "optimizer=adamw\nweight_decay=0.001"])
    assert not fit_side_by_side([f"student_optimizer=sgd\nstudent_lr={number}" for number in range(5)])
    assert not fit_side_by_side(list(range(7)))
    assert fit_side_by_side([])
