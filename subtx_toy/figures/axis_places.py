"""Where the points of a sweep stand on its axis, and the words for them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subtx_toy.figures import style
from subtx_toy.results.comparison import Comparison
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.distillation import RunConfig

MEASURES = {"accuracy": "test accuracy on {}", "hidden_cosine": "cosine with the teacher", "probe_accuracy": "probe"}
_MORE = {
    "second_accuracy": "accuracy at the second task", "bits": "bits per label",
    "class_aux_kernel": "cosine of the class-aux kernel", "aux_kernel": "cosine of the aux kernel",
    "aux_jacobian": "cosine of the aux Jacobian",
}  # fmt: skip
USUAL = "usual settings"
"""Of an experiment: the name of the point that changes none of them."""

_LEGEND_LETTERS = 36  # of one column of two


@dataclass(frozen=True)
class Arrangement:
    """The axis of a sweep.

    Attributes:
        values: of the axis, one for each row: numbers, or names.
        rests: for each row the settings in which points at the same place differ, as words; "" for none.
        is_numeric: whether the values are places themselves, and points are joined.
        label: of the axis.
    """

    values: list[Any]
    rests: list[str]
    is_numeric: bool
    label: str

    @property
    def names(self) -> list[Any]:
        """The distinct values, in the order of the rows."""
        return list(dict.fromkeys(self.values))


def arranged(definition: DistillationSweep, rows: Sequence[Comparison], base: RunConfig | None) -> Arrangement:
    """Arrange ``rows`` on the axis of a sweep; where all share one value of it, by what else tells them apart."""
    axis, setting = definition.axis, definition.axis.setting
    if setting is None:
        values = [_written(row.at) or USUAL for row in rows]
        if len(set(values)) == 1:  # one point: its metrics stand side by side
            values = [_metric_name(row.metric) for row in rows]
        return Arrangement(values, [""] * len(rows), is_numeric=False, label=axis.label)
    values = [row.at.get(setting, getattr(base or definition.config, setting)) for row in rows]
    others = [_written({name: value for name, value in row.at.items() if name != setting}) for row in rows]
    if len(set(values)) == 1 < len(set(others)):
        names = [words or USUAL for words in others]
        return Arrangement(names, [""] * len(rows), is_numeric=False, label=f"{axis.label}: {values[0]}")
    rests = [words.replace("\n", ", ") for words in others]
    return Arrangement(values, rests, is_numeric=axis.scale != "category", label=axis.label)


def _written(at: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}={value}" for name, value in at.items())


def limits(places: Sequence[float], *, log: bool) -> tuple[float, float]:
    """Return where an axis of numbers begins and ends, with room for marks that are moved a little off their place."""
    low, high = min(places), max(places)
    if log:
        room = (high / low) ** 0.05 if high > low else 2.0
        return low / room, high * room
    room = 0.05 * (high - low) if high > low else 1.0
    return low - room, high + room


def _metric_name(metric: str) -> str:
    """Name a metric for an axis, on several lines."""
    arm, measure = metric.split(".")
    return style.LABELS[arm] + ("" if measure == "accuracy" else f"\n{measure_name(measure)}")


def measure_name(name: str) -> str:
    """Return what a legend calls a measure."""
    return (MEASURES | _MORE).get(name, name.replace("_", " "))


def shortened(name: str) -> str:
    """Name a point in two lines: of settings that are words the value says enough.

    >>> print(shortened(chr(10).join(["init=pytorch", "lr=0.1", "loss=squared_error"])))
    pytorch, lr 0.1,
    squared error
    """
    parts = []
    for part in name.split("\n"):
        setting, _, value = part.partition("=")
        parts.append(f"{setting} {value}" if value[:1].isdigit() else (value or setting).replace("_", " "))
    half = (len(parts) + 1) // 2
    lines = [", ".join(parts[:half]), ", ".join(parts[half:])] if len(parts) > 2 else [", ".join(parts)]
    return ",\n".join(lines)


def legend_label(text: str) -> str:
    """Break a label of the legend at words where it is too long for its column."""
    return "\n".join(textwrap.wrap(text, _LEGEND_LETTERS, break_long_words=False, break_on_hyphens=False))
