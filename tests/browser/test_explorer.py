"""The explorer in a browser: it plays, follows its sliders, fits a phone, and needs no network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from subtx_toy.report.explorer import explorer_page


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    path.write_text(explorer_page(), encoding="utf-8")
    return path


def _share(page: Any, box: str, arm: str) -> float:
    return float(page.locator(f"#{box} [data-arm={arm}] .num").inner_text())


def _set(page: Any, slider: str, value: float) -> None:
    page.locator(f"#{slider}").evaluate(
        "(one, value) => { one.value = value; one.dispatchEvent(new Event('input')); }", value
    )


def test_the_shared_start_ends_far_above_the_other_one(see: Callable[..., Any], page_file: Path) -> None:
    seen = see(page_file)
    page = seen.page
    assert _share(page, "arms", "student_aux") > _share(page, "arms", "cross_aux") + 0.2
    _set(page, "epoch", 0)
    assert _share(page, "arms", "student_aux") < 0.2
    _set(page, "epoch", 1)
    few = _share(page, "arms", "student_aux")
    _set(page, "aux", 2)
    assert _share(page, "arms", "student_aux") > few + 0.2
    assert seen.faults == []


def test_it_plays_when_it_is_opened_pauses_by_a_click_and_follows_a_drag(
    see: Callable[..., Any], page_file: Path
) -> None:
    seen = see(page_file, still=False)
    page = seen.page
    page.wait_for_function("document.getElementById('epoch').value > 0.02")
    page.click("#play")
    stopped = page.input_value("#epoch")
    page.wait_for_timeout(150)
    assert page.input_value("#epoch") == stopped
    box = page.locator("#plane").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 60, steps=4)
    page.mouse.up()
    assert float(page.input_value("#epoch")) == pytest.approx(0.75, abs=0.01)
    page.click("#play")
    page.wait_for_function("document.getElementById('epoch').value > 0.76")
    assert page.get_attribute("#play", "aria-pressed") == "true"
    assert seen.faults == []


def test_every_sweep_draws_its_points(see: Callable[..., Any], page_file: Path) -> None:
    seen = see(page_file)
    page = seen.page
    names = page.locator("#sweep option").all_inner_texts()
    assert {"num-aux", "distill-epochs", "squared-error-gap"} <= set(names)
    for name in names:
        page.select_option("#sweep", label=name)
        _set(page, "point", 1)
        assert page.locator("#point-name").inner_text()
        assert page.locator("#sweep-plot canvas").count() == 1
    page.select_option("#sweep", label="num-aux")
    low = _share(page, "point-arms", "student_aux")
    _set(page, "point", 5)
    assert _share(page, "point-arms", "student_aux") > low + 0.5
    assert "Published: student, same start" in page.locator("#point-note").inner_text()
    assert seen.faults == []


def test_one_step_agrees_with_theory_where_it_is_small(see: Callable[..., Any], page_file: Path) -> None:
    seen = see(page_file)
    _set(seen.page, "eps", 0)
    words = seen.page.locator("#ray-words").inner_text()
    assert "moves towards the teacher in 5 of 5 seeds" in words
    assert "\n1.000\n" in words
    assert seen.faults == []


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_in_both_colours(see: Callable[..., Any], page_file: Path, dark: bool) -> None:
    seen = see(page_file, width=390, dark=dark)
    assert seen.fits()
    colour = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") is not dark
    seen.page.locator("#plane").tap(position={"x": 100, "y": 100})
    assert float(seen.page.input_value("#epoch")) < 0.6
    assert seen.faults == []
