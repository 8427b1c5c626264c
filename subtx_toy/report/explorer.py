"""The explorer: one page with the effect as an animation, and the committed sweeps and single steps to play with."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from subtx_toy.report.frame import render

PLOT_VERSION = "1.6.32"
"""Of uPlot, whose files are in ``uplot/`` with their licence."""


def explorer_page(document: dict[str, Any] | None = None) -> str:
    """Return the page; ``document`` is what ``paper_figs/explorer_data.py`` writes, by default the packaged one."""
    text = _read("explorer.json") if document is None else json.dumps(document)
    found = json.loads(text)
    runs, ray = found["trajectories"]["runs"], found["ray"]
    usual = [at for at, run in enumerate(runs) if run["num_aux"] == 3]
    return render(
        "explorer.html.jinja",
        title="Subliminal learning: the explorer",
        num_runs=len(runs),
        first_run=usual[0] if usual else 0,
        epochs=f"{max(runs[0]['arms']['teacher']['epochs']):g}",
        num_seeds=ray["num_seeds"],
        num_eps=len(ray["eps"]),
        first_eps=len(ray["eps"]) // 3,
        data=text.strip().replace("<", "\\u003c"),  # no text ends the element
        plot_css=_read("uplot/uPlot.min.css"),
        plot_js=_read("uplot/uPlot.iife.min.js"),
        plot_licence=_read("uplot/LICENSE"),
        plot_version=PLOT_VERSION,
        page_js=_read("explorer.js"),
    )


def _read(name: str) -> str:
    return resources.files("subtx_toy.report").joinpath(name).read_text(encoding="utf-8")
