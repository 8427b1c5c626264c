"""Tables fit the terminal, leave out what is empty, and break between words only."""

from __future__ import annotations

import pytest

from subtx_toy.results.presentation import Presentation, Table, align, in_words
from subtx_toy.stats import estimate

HEADER = ["claim", "instances", "worst margin", "nothing", "predicted/observed", "verdict"]
ROWS = [
    ["C1", "200", "0.0012", "", "0.99 / 1 / 1.01", "holds"],
    ["C8b", "200", "-0.5", "", "1 / 1 / 1", "not found: its cosine is not above the bound of the ensemble"],
]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_fit_and_words_stay_whole(width: int) -> None:
    text = align(HEADER, ROWS, width=width)
    assert max(map(len, text.splitlines())) <= width
    for row in ROWS:
        for cell in row[:-1]:
            assert cell in text
        assert set(row[-1].split()) <= set(text.split())


POINTS = [
    ["selected_share=0.25 num_inputs=20000 selected_by=score", "student_aux", "0.283", "0.210 to 0.364"],
    ["selected_by=other_score", "student_aux", "0.100", "0.066 to 0.144"],
]


@pytest.mark.parametrize("width", [60, 80])
def test_names_of_many_words_are_broken_where_nothing_else_helps(width: int) -> None:
    text = align(["point", "metric", "mean", "95 % interval"], POINTS, width=width)
    assert max(map(len, text.splitlines())) <= width
    for point, *values in POINTS:
        assert set(point.split()) <= set(text.split())
        assert any(all(value in line for value in values) for line in text.splitlines())


def test_an_empty_column_is_left_out() -> None:
    assert "nothing" not in align(HEADER, ROWS)
    assert "nothing" in align(HEADER, [[*ROWS[0][:3], "x", *ROWS[0][4:]]])


def test_without_a_terminal_nothing_is_broken() -> None:
    assert len(align(HEADER, ROWS).splitlines()) == 1 + len(ROWS)


def test_a_narrow_terminal_overflows_before_a_word_is_broken() -> None:
    assert "predicted/observed" in align(HEADER, ROWS, width=10)


def test_the_conclusion_comes_first() -> None:
    shown = Presentation(["heading"], [Table(HEADER, ROWS)], ["note"], {}, "It holds.")
    assert shown.text.splitlines()[:2] == ["It holds.", "heading"]
    assert shown.text.splitlines()[-1] == "note"


def test_a_share_is_written_with_its_half_width() -> None:
    assert in_words(estimate([0.25, 0.75])) == ".50 ± 3.18"
    assert in_words(estimate([0.5])) == ".50"
    low, high = estimate([0.25, 0.75], num_images=100).interval
    assert in_words(estimate([0.25, 0.75], num_images=100)) == f".50 ± {(high - low) / 2:.2f}".replace("0.", ".")
