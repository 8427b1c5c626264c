"""The figure of one step: whole for the packaged grid, and what can be drawn of less."""

from __future__ import annotations

import math

import numpy as np
import pytest

from subtx_toy.figures.one_step import draw_one_step
from subtx_toy.results.one_step_table import StartSummary

EPS = np.logspace(-6, 0, 13)
STEPS = {"step": np.array([0.5, 1.5]), "change": np.array([-1.0, 3.0])}
NO_STEPS = {"step": np.array([]), "change": np.array([])}


def _start(student_init: str, eps: np.ndarray, *, falls: bool = True) -> StartSummary:
    column = eps[:, None] * np.array([[0.9, 1.1]])
    fall = column if falls else -column
    values = {"alignment": column, "predicted_alignment": column, "remainder": column**2, "trait_loss_change": -fall}
    return StartSummary(student_init, 0.0, eps, values)


def test_the_whole_grid_has_a_guide_in_two_panels_and_the_window() -> None:
    figure = draw_one_step([_start("shared", EPS), _start("permuted", EPS)], STEPS, dataset="glyphs")
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert (texts[0], texts[1], texts[3]) == (["slope 1"], ["slope 2"], ["closer ", " further"])
    assert "coincide" in texts[2][0]
    assert all(axes.axison for axes in figure.axes)


@pytest.mark.parametrize("num_eps", [1, 2])
def test_few_eps_are_drawn_without_a_guide(num_eps: int) -> None:
    figure = draw_one_step([_start("shared", EPS[-num_eps:])], STEPS, dataset="glyphs")
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes[:3]] == [[], [], []]
    figure.canvas.draw()


def test_what_the_records_do_not_hold_leaves_no_empty_panel() -> None:
    figure = draw_one_step([_start("permuted", EPS[-1:], falls=False)], NO_STEPS, dataset="glyphs")
    figure.canvas.draw()
    assert [axes.get_ylabel().partition("\n")[0] for axes in figure.axes] == ["|alignment|"]
    assert figure.get_supxlabel() == "nothing to show of: remainder, fall of the trait loss, distance to the teacher"


def test_words_of_the_window_stand_above_its_panel_and_meet_no_tick() -> None:
    far = {"step": np.array([0.1, 0.5, 4.0]), "change": np.array([-0.4, -1.0, 48.0])}
    figure = draw_one_step([_start("shared", EPS)], far, dataset="glyphs")
    figure.canvas.draw()
    window = figure.axes[3]
    ticks = [tick.get_window_extent() for tick in (*window.get_xticklabels(), *window.get_yticklabels())]
    for word in window.texts:
        assert not any(word.get_window_extent().overlaps(tick) for tick in ticks)
    assert window.get_yscale() == "symlog"


def test_an_order_needs_two_eps() -> None:
    assert _start("shared", EPS).order("remainder") == pytest.approx(2)
    assert math.isnan(_start("shared", EPS[:1]).order("remainder"))
