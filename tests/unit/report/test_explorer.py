"""The explorer's page and data: small, offline, and what the committed results say."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import pytest

from paper_figs import explorer_data
from subtx_toy.cli import call
from subtx_toy.report.explorer import PLOT_VERSION, explorer_page

FILES = resources.files("subtx_toy.report")
DATA = json.loads(FILES.joinpath("explorer.json").read_text(encoding="utf-8"))


def test_the_data_are_those_of_the_committed_results() -> None:
    stored = FILES.joinpath("explorer.json").read_text(encoding="utf-8")
    message = "run python paper_figs/explorer_data.py --out subtx_toy/report/explorer.json"
    assert json.loads(explorer_data.text()) == json.loads(stored), message


def test_the_page_is_small_and_needs_no_network() -> None:
    page = explorer_page()
    assert len(page.encode()) <= 2_000_000
    assert not re.search(r"""(?:src|href)=["']?(?!data:)\w""", page)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket", page)
    assert 'name="viewport"' in page


def test_the_library_keeps_its_licence_and_its_version() -> None:
    page = explorer_page()
    assert "Permission is hereby granted, free of charge" in page
    assert f"(v{PLOT_VERSION})" in FILES.joinpath("uplot/uPlot.iife.min.js").read_text(encoding="utf-8")[:300]


def test_no_text_of_the_data_ends_its_element() -> None:
    changed = json.loads(json.dumps(DATA))
    changed["sweeps"][0]["question"] = "</script><script>alert(1)</script>"
    assert explorer_page(changed).count("</script>") == explorer_page().count("</script>")


def test_the_paths_begin_at_the_start_and_the_teacher_ends_at_one() -> None:
    for run in DATA["trajectories"]["runs"]:
        for arm in run["arms"].values():
            assert (arm["epochs"][0], arm["along"][0], arm["off"][0]) == (0, 0, 0)
            assert len({len(values) for values in arm.values()}) == 1
        assert run["arms"]["teacher"]["along"][-1] == 1
        assert run["arms"]["teacher"]["off"][-1] == pytest.approx(0, abs=1e-9)
        assert abs(run["arms"]["cross_aux"]["along"][-1]) < 0.05


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "e.html"
    assert call(["explorer", "--out", str(target)]) == 0
    assert target.read_text(encoding="utf-8") == explorer_page()
    assert "open it in a browser" in capsys.readouterr().out
    assert call(["explorer", "--out", str(tmp_path / "none" / "e.html")]) == 2
