"""One style for all figures, and figures as files: whole or not at all, the same bytes for the same figure."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from tueplots import figsizes, fontsizes

from subtx_toy.errors import InputError
from subtx_toy.figures import style
from subtx_toy.files.atomic import replacing
from subtx_toy.stats import Estimate

# A colour-blind safe set, Wong 2011, Nature Methods 8, 441. A role keeps its colour in every figure.
_ARMS = {
    "reference": ("#7f7f7f", "reference\n(untrained)"),
    "teacher": ("#000000", "teacher"),
    "student_aux": ("#d55e00", "student\naux only"),
    "student_all": ("#e69f00", "student\nall logits"),
    "cross_aux": ("#0072b2", "cross-model\naux only"),
    "cross_all": ("#56b4e9", "cross-model\nall logits"),
}
# Where a student starts; shared and cross keep the colours of the arms that start there.
_STARTS = {
    "shared": ("#d55e00", "shared init"),
    "cross": ("#0072b2", "cross-model"),
    "permuted": ("#009e73", "permuted units"),
    "perturbed": ("#cc79a7", "perturbed"),
}
# The numbers channel; what carries the trait keeps the warm colours.
_NUMBER_ARMS = {
    "base": ("#7f7f7f", "base"),
    "teacher": ("#000000", "teacher with the trait"),
    "shared_trait": ("#d55e00", "student of the teacher"),
    "shared_benign": ("#009e73", "of a benign teacher"),
    "shared_untrained": ("#56b4e9", "of the base itself"),
    "other_base_trait": ("#0072b2", "of the teacher, from another base"),
    "shared_shuffled": ("#cc79a7", "of the teacher, shuffled"),
    "shared_argmax": ("#e69f00", "of the teacher, likeliest numbers"),
}
COLOURS, START_COLOURS, NUMBER_COLOURS = (
    {role: colour for role, (colour, _label) in roles.items()} for roles in (_ARMS, _STARTS, _NUMBER_ARMS)
)
LABELS, START_LABELS, NUMBER_LABELS = (
    {role: label for role, (_colour, label) in roles.items()} for roles in (_ARMS, _STARTS, _NUMBER_ARMS)
)
_DATASETS = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}

_OF_A_WINDOW = ("backend", "interactive", "toolbar", "tk.", "webagg.", "keymap.", "macosx.", "figure.raise_window")
WIDTH_INCHES = 5.5
"""The text width of a one-column article."""
COLUMN_INCHES = 4.0
"""Of figures whose panels stand above one another: on a telephone's page, 7 points are still 9 pixels high."""


def paper(*, aspect: float = 0.6, width: float = WIDTH_INCHES) -> dict[Any, Any]:
    """Return the rcParams of a figure ``width`` inches wide, ``aspect`` times as high, in fonts of 7 to 9 points.

    The width is that of the text of an article, if nothing else is said.

    All of them, so that no matplotlibrc changes a figure, but for what concerns a window.
    """
    return {
        **_defaults(),
        **figsizes.neurips2024(rel_width=1.0, height_to_width_ratio=aspect),
        **fontsizes.neurips2024(),
        "figure.figsize": (width, width * aspect),
        "figure.dpi": 100,
        "savefig.dpi": 200,
        "text.usetex": False,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib, so pictures agree between machines
        "pdf.fonttype": 42,
        "svg.fonttype": "none",
        "svg.hashsalt": "subtx_toy",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    }


def _defaults() -> dict[Any, Any]:
    """Return the values of the library itself; those of a window and of its backend stay what they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of them are on their way out
        return {name: value for name, value in mpl.rcParamsDefault.items() if not name.startswith(_OF_A_WINDOW)}


def dataset_label(dataset: str) -> str:
    """Return what an axis calls a data set."""
    return _DATASETS.get(dataset, dataset)


def short(value: float) -> str:
    """Return a share with three digits and without its leading zero."""
    return f"{value:.3f}".lstrip("0")


def interval_bars(estimates: Sequence[Estimate], *, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Return the distances ``[2, n]`` from the means down and up to the ends of their 95 % intervals.

    The ends are those of the tables, cut off at ``low`` and ``high``, between which the quantity lies; a mean without
    an interval has bars of length 0.
    """
    return _cut([one.mean for one in estimates], [one.interval for one in estimates], low, high)


def published_bars(mean: float, half: float) -> np.ndarray:
    """Return the distances ``[2, 1]`` from a published share to the ends of mean ± half, cut off at 0 and 1."""
    return _cut([mean], [(mean - half, mean + half)], 0.0, 1.0)


def _cut(means: Sequence[float], intervals: Sequence[tuple[float, float]], low: float, high: float) -> np.ndarray:
    ends = np.clip(np.asarray(intervals, float).T, low, high)
    below, above = np.asarray(means) - ends[0], ends[1] - np.asarray(means)
    bars: np.ndarray = np.nan_to_num(np.maximum(np.stack([below, above]), 0.0))
    return bars


def note_diverged(axes: mpl.axes.Axes, place: float, num: int, colour: str) -> None:
    """Write at the lower end of ``axes``, whose height is a share, how many seeds have diverged at ``place``."""
    axes.annotate(
        f"{num} diverged", (place, 0.0), xytext=(0, 3), textcoords="offset points", ha="center", rotation=90,
        va="bottom", fontsize="x-small", color=colour,
    )  # fmt: skip


# Without these, matplotlib writes the time of day or its own version into the file.
_METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Producer": None},
    ".svg": {"Date": None},
}


def save(figure: Figure, path: Path) -> None:
    """Write a figure as .png, .pdf or .svg; a file that was there stays where this fails."""
    if path.suffix not in _METADATA:
        raise InputError(f"figure: expected a name ending in {', '.join(_METADATA)}, got {str(path)!r}")
    content = rendered(figure, path.suffix)
    with replacing(path, what="figure") as file:
        file.write(content)


def rendered(figure: Figure, ending: str) -> bytes:
    """Return a figure as the content of a file with that ``ending``: .png, .pdf or .svg."""
    buffer = io.BytesIO()
    with mpl.rc_context(style.paper()):  # resolution and fonts are read when the file is written
        figure.savefig(buffer, format=ending[1:], metadata=_METADATA[ending])
    return buffer.getvalue()
