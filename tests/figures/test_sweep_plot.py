"""A figure of stored trials shows its names whole and apart, however many settings vary."""

from __future__ import annotations

import itertools

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from subtx_toy.figures.sweep_plot import draw_lines, draw_parallel
from subtx_toy.results.cells import Cell
from subtx_toy.results.plot_data import lay_out
from subtx_toy.stats import estimate

# The settings in which the trials of several experiments differ.
_OTHERS = [
    {"num_train": 1000 * place, "num_test": 500 * place, "lr": 0.0005 * place, "batch_size": 50 * place,
     "student_epochs": 5 * place, "loss": loss, "inputs": "shuffled_images", "num_inputs": 1000 * place,
     "students": "student_aux", "student_noise_layers": layers}
    for place, loss, layers in [(1, "kl", "all"), (2, "squared_error", "all_but_last"), (4, "kl", "all_but_last")]
]  # fmt: skip


def _cells(others: list[dict[str, object]], aux: tuple[int, ...] = (1, 10)) -> list[Cell]:
    points = itertools.product((16, 32), aux, others)
    return [
        Cell({"width": width, "num_aux": num, **other}, "student_aux.accuracy", estimate([0.1, 0.2 + num / 100]), 0)
        for width, num, other in points
    ]


def _assert_whole_and_apart(texts: list[Text]) -> None:
    figure = texts[0].figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()  # pytest makes an error of the warning that a figure is too small for its texts
    boxes = [text.get_window_extent() for text in texts]
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


@pytest.mark.parametrize("others", [[{}], _OTHERS], ids=len)
def test_the_names_of_the_lines_are_whole_and_leave_the_lines_their_place(others: list[dict[str, object]]) -> None:
    figure = draw_lines(lay_out(_cells(others), x="num_aux", by="width"), label="student aux: accuracy on glyphs")
    (axes,) = figure.axes
    legend = axes.get_legend()
    assert legend is not None
    _assert_whole_and_apart([*legend.get_texts(), axes.xaxis.label, axes.yaxis.label])
    inches = axes.get_window_extent().height / figure.dpi
    assert 2 < inches < 4
    for text in legend.get_texts():
        assert not text.get_window_extent().overlaps(axes.get_window_extent())


@pytest.mark.parametrize("others", [[{}], _OTHERS], ids=len)
def test_the_names_of_settings_side_by_side_do_not_overlap(others: list[dict[str, object]]) -> None:
    figure = draw_parallel(_cells(others), label="student aux: accuracy on Fashion-MNIST")
    (axes,) = figure.axes
    _assert_whole_and_apart(list(axes.get_xticklabels()))
    _assert_whole_and_apart([text for text in axes.texts if text.get_text()])
