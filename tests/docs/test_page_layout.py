"""What a browser needs to lay a page out: numbers that keep together, cells with room, lines that begin no list."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from docutils import nodes
from docutils.utils import new_document

from docs.pages import layout
from subtx_toy.report import spacing

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "tutorials").glob("*.md"), ROOT / "README.md"])
TORN = re.compile(r"^[ \t]*\+ ", re.MULTILINE)
"""A formula whose second line begins with its plus sign, which Markdown takes for a list."""
SPACE = "\N{NO-BREAK SPACE}"


def _table(*cells: str) -> nodes.document:
    row = nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in cells))
    group = nodes.tgroup("", *(nodes.colspec() for _ in cells), nodes.tbody("", row))
    found = new_document("page")
    found += nodes.table("", group)
    return found


def test_the_examples_of_the_layout_hold() -> None:
    assert doctest.testmod(layout).failed == 0


@pytest.mark.parametrize(
    "text", ["1.97 ± 0.09", "5.6 %", ".10 ± .03", "at [0.431, 0.642]", "[-.14, 0.2]", "0.97 ±\n0.1", "V ≥ 0"]
)
def test_a_number_keeps_its_unit_error_and_interval(text: str) -> None:
    assert not re.search(r"[ \n](?=[±%])|[±≥] |, ", spacing.bound(text))


@pytest.mark.parametrize("text", ["from 0.57 to 1.03", "3, 4", "a ± b", "[docs, 2]", "C23, C24"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert spacing.bound(text) == text


def test_numbers_are_bound_in_paragraphs_and_cells_and_not_in_code() -> None:
    page = _table("9 of 10", "a", "b", "c")
    page += nodes.paragraph("", "9 of 10 is 90 %")
    page += nodes.literal_block("", "90 %")
    layout.bind_numbers(page)
    assert page.astext().split("\n\n")[-2:] == [f"9 of 10 is 90{SPACE}%", "90 %"]
    assert page[0].astext().strip().startswith(f"9{SPACE}of{SPACE}10")


def test_a_picture_fits_a_telephone_or_is_scrolled_there() -> None:
    folder = ROOT / "docs"
    for name, kind in (("owl-curves", "column"), ("published-sweeps", "wide")):
        page = new_document("page")
        page += nodes.paragraph("", "", nodes.image(uri=f"images/{name}.png"))
        layout.mark_pictures(page, folder)
        assert page[0]["classes"] == [kind]
    style = (folder / "static" / "site.css").read_text(encoding="utf-8")
    assert "p.column img" in style
    assert "p.wide img" in style


@pytest.mark.parametrize("script", sorted((ROOT / "paper_figs").rglob("*.py")), ids=lambda path: path.stem)
def test_no_text_of_a_picture_is_smaller_than_small(script: Path) -> None:
    assert not re.search(r"[\"']x{1,2}-small[\"']", script.read_text(encoding="utf-8"))


def test_long_cells_get_room() -> None:
    page = _table("w " * 90, "w " * 40, "w " * 15, "1")
    layout.mark_cells(page)
    assert [one["classes"] for one in page.findall(nodes.entry)] == [["paragraph"], ["sentence"], ["phrase"], []]


def test_code_of_short_words_stays_whole() -> None:
    page = new_document("page")
    page += nodes.paragraph("", "", nodes.literal("", "audit FILE --stream"), nodes.literal("", "x/" * 20))
    layout.mark_code(page)
    assert [one["classes"] for one in page.findall(nodes.literal)] == [["whole"], []]


def test_the_style_sheet_has_every_mark() -> None:
    sheet = (ROOT / "docs" / "static" / "site.css").read_text(encoding="utf-8")
    assert all(f".{mark} " in sheet for mark in ("paragraph", "sentence", "phrase", "whole"))


@pytest.mark.parametrize("page", PAGES, ids=lambda one: one.name)
def test_no_formula_is_torn_into_a_list(page: Path) -> None:
    assert TORN.findall(re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)) == []


def test_a_torn_formula_is_found() -> None:
    assert TORN.search("moves by ε dT\n+ O(ε²), later")


COMMENT = re.compile(r"^[ \t]*%(?!\S*=)", re.MULTILINE)
"""A line that begins with a percent sign, which the site takes for a comment and leaves out."""


def test_no_line_is_taken_for_a_comment() -> None:
    more = [ROOT / "CHANGELOG.md", ROOT / "experiments" / "README.md", ROOT / "CONTRIBUTING.md"]
    assert [page.name for page in [*PAGES, *more] if COMMENT.search(page.read_text(encoding="utf-8"))] == []
    assert COMMENT.search("a share of 1\n% of them")  # the control
