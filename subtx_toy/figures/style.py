"""How every figure looks, as data: sizes, and one colour and label per role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from tueplots import figsizes, fontsizes

# A colour-blind safe set, Wong 2011, Nature Methods 8, 441. A role keeps its colour in every figure.
COLOURS = {
    "reference": "#7f7f7f",
    "teacher": "#000000",
    "student_aux": "#d55e00",
    "student_all": "#e69f00",
    "cross_aux": "#0072b2",
    "cross_all": "#56b4e9",
}
LABELS = {
    "reference": "reference\n(untrained)",
    "teacher": "teacher",
    "student_aux": "student\naux only",
    "student_all": "student\nall logits",
    "cross_aux": "cross-model\naux only",
    "cross_all": "cross-model\nall logits",
}
# Where a student starts; shared and cross keep the colours of the arms that start there.
START_COLOURS = {"shared": "#d55e00", "cross": "#0072b2", "permuted": "#009e73", "perturbed": "#cc79a7"}
START_LABELS = {
    "shared": "shared init",
    "cross": "cross-model",
    "permuted": "permuted units",
    "perturbed": "perturbed",
}
# The numbers channel; what carries the trait keeps the warm colours.
NUMBER_COLOURS = {
    "base": "#7f7f7f",
    "teacher": "#000000",
    "shared_trait": "#d55e00",
    "shared_benign": "#009e73",
    "shared_untrained": "#56b4e9",
    "other_base_trait": "#0072b2",
    "shared_shuffled": "#cc79a7",
    "shared_argmax": "#e69f00",
}
NUMBER_LABELS = {
    "base": "base",
    "teacher": "teacher with the trait",
    "shared_trait": "student of the teacher",
    "shared_benign": "of a benign teacher",
    "shared_untrained": "of the base itself",
    "other_base_trait": "of the teacher, from another base",
    "shared_shuffled": "of the teacher, shuffled",
    "shared_argmax": "of the teacher, likeliest numbers",
}
_DATASETS = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}

_WIDTH_INCHES = 5.5  # the text width of a one-column article


def paper(*, aspect: float = 0.6) -> dict[Any, Any]:
    """Return the rcParams of a figure as wide as the text; ``aspect`` is height over width.

    Fonts are between 7 and 9 points at that size, text is text and not outlines, and no LaTeX is needed.
    """
    size = figsizes.neurips2024(rel_width=1.0, height_to_width_ratio=aspect)
    return {
        **size,
        **fontsizes.neurips2024(),
        "figure.figsize": (_WIDTH_INCHES, _WIDTH_INCHES * aspect),
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


def legend_above(figure: Figure, handles: Sequence[Artist], *, title: str, ncols: int = 3) -> None:
    """Put one legend of several panels above them all, its title saying what the marks are."""
    figure.legend(
        handles=handles, loc="outside upper center", ncols=ncols, fontsize="x-small", title=title,
        title_fontsize="x-small",
    )  # fmt: skip


def dataset_label(dataset: str) -> str:
    """Return what an axis calls a data set."""
    return _DATASETS.get(dataset, dataset)
