"""The reports in a browser: at the width of a desk and of a phone, in both colours, without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import subtx_toy as st
from subtx_toy.report.audit_page import audit_page
from subtx_toy.settings.experiment_file import read
from subtx_toy.store import Store
from tests.unit.report.records import record
from tests.unit.report.test_audit_page import document


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("reports")
    with Store(place / "r.sqlite") as opened:
        opened.add_all(record(read("cloud2025").quickened().config, seed) for seed in range(5))
    st.report("cloud2025", quick=True, store=place / "r.sqlite").save_page(place / "run.html")
    pictures = {3: np.zeros((28, 28), np.uint8)}
    page = audit_page(document(carries=True, moved=True), name="f.jsonl", level=0.01, pictures=pictures)
    (place / "audit.html").write_text(page, encoding="utf-8")
    return place


@pytest.mark.parametrize("name", ["run", "audit"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_report_fits_and_shows_its_pictures(see: Callable[..., Any], folder: Path, name: str, width: int) -> None:
    seen = see(folder / f"{name}.html", width=width, dark=width == 390)
    assert seen.fits()
    sizes = seen.page.evaluate("[...document.images].map((one) => one.naturalWidth)")
    assert sizes
    assert min(sizes) > 0
    seen.page.locator("summary").first.click()
    assert seen.fits()
    assert seen.faults == []
