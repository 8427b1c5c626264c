"""Students of many steps by optimiser and step size: a table, a document, and what a figure needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from subtx_toy.files.content_key import finite
from subtx_toy.results.presentation import Presentation, Table, unless_nan
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.many_steps import ManyStepsConfig
from subtx_toy.stats import finite_estimate, judged
from subtx_toy.store.record import RunRecord
from subtx_toy.tolerances import MIN_SEEDS
from subtx_toy.wording import counted

CURVES = ("alignment", "restoring", "function_cosine")
"""Curves against the step that are summarised and drawn."""

_ALL_UP_TO, _NUM_AFTER = 100, 20  # steps of a curve that are kept: all at first, then some evenly spaced in their log

_MEANS = ("alignment", "function_cosine", "distance", "fraction", "predicted_fraction")


class Band(NamedTuple):
    """One curve over the seeds at some steps, from 1 on: mean, lowest and highest seed, ``[k]`` each."""

    steps: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Band:
        """Summarise curves ``[s, K]`` whose first value is after the first step."""
        num = values.shape[1]
        late = np.geomspace(_ALL_UP_TO, num, _NUM_AFTER).round().tolist() if num > _ALL_UP_TO else []
        steps = np.array(sorted({*range(1, min(num, _ALL_UP_TO) + 1), *map(int, late)}))
        kept = values[:, steps - 1]
        return cls(steps, kept.mean(axis=0), kept.min(axis=0), kept.max(axis=0))


class Student(NamedTuple):
    """One configuration over its seeds.

    Attributes:
        config: its settings.
        metrics: by name, ``[s]``, nan where there is none.
        curves: by name.
    """

    config: ManyStepsConfig
    metrics: Mapping[str, np.ndarray]
    curves: Mapping[str, Band]

    @property
    def name(self) -> str:
        """The optimiser with its momentum."""
        name = self.config.optimizer.replace("_", " ")
        return f"{name} {self.config.momentum:g}" if self.config.momentum else name

    @property
    def num_away(self) -> int:
        """In how many seeds the displacement pointed away from the teacher's after some step."""
        return int((self.metrics["min_fraction"] < 0).sum())

    @property
    def num_seeds(self) -> int:
        """Seeds."""
        return len(self.metrics["min_fraction"])


class ManyStepsSummary(NamedTuple):
    """All students of an experiment."""

    definition: Definition
    base: ManyStepsConfig
    students: Sequence[Student]


def summarise_many_steps(definition: Definition, base: Settings, records: Sequence[RunRecord]) -> ManyStepsSummary:
    """Group some records by configuration, in their order."""
    assert isinstance(base, ManyStepsConfig)
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(repr(sorted(record.config.items())), []).append(record)
    students = []
    for group in groups.values():
        names = group[0].metrics
        metrics = {name: np.array([one.metrics.get(name, math.nan) for one in group]) for name in names}
        config = ManyStepsConfig.parse(group[0].config)
        curves = {name: Band.of(np.array([one.series[name][-config.num_steps :] for one in group])) for name in CURVES}
        students.append(Student(config, metrics, curves))
    return ManyStepsSummary(definition, base, students)


def present_many_steps(summary: ManyStepsSummary) -> Presentation:
    """Show means over seeds after the last step, the lowest values on the way, and how often a student points away."""
    definition, base, students = summary
    steps = students[0].config.num_steps
    heading = (
        f"{definition.name} on {base.dataset_title}: {definition.question} Means over "
        f"{counted(students[0].num_seeds, 'seed')} after {counted(steps, 'step')}; lowest values over the way and over "
        "seeds"
    )
    header = ("student", "step", "alignment", "of outputs", "distance", "fraction", "predicted", "lowest fraction",
              "predicted", "lowest restoring", "points away")  # fmt: skip
    rows = [
        [
            one.name, f"{one.config.student_step:g}",
            *(_mean(one, name) for name in _MEANS),
            f"{one.metrics['min_fraction'].min():.3g}", _mean(one, "predicted_min_fraction"),
            f"{one.metrics['min_restoring'].min():.2g}", f"{one.num_away} of {counted(one.num_seeds, 'seed')}",
        ]
        for one in students
    ]  # fmt: skip
    notes = [
        "step: of gd, heavy ball and nesterov times the largest eigenvalue of G; of the others over the teacher's move "
        "of a weight, root mean square",
        "alignment: cosine of the student's displacement with the teacher's; fraction: how far the student went along "
        "it; restoring: cosine of minus the gradient with what is left to the teacher",
    ]
    document = {"config": base.model_dump(), "students": [_document(one) for one in students]}
    return Presentation([heading], [Table(header, rows)], notes, document, _conclusion(students))


def _mean(student: Student, name: str) -> str:
    return unless_nan(finite_estimate(student.metrics[name].tolist()).mean, ".3f") if name in student.metrics else ""


def _document(student: Student) -> dict[str, Any]:
    config = student.config
    metrics = {}
    for name, values in student.metrics.items():
        mean = finite_estimate(values.tolist())
        metrics[name] = {"mean": finite(mean.mean), "ci95": finite(mean.ci95), "values": [finite(v) for v in values]}
    return {
        "optimizer": config.optimizer,
        "momentum": config.momentum,
        "student_step": config.student_step,
        "num_seeds": student.num_seeds,
        "num_away": student.num_away,
        "metrics": metrics,
        "curves": {
            name: {kind: [round(float(one), 6) for one in values] for kind, values in band._asdict().items()}
            for name, band in student.curves.items()
        },
    }


def students_of(document: Mapping[str, Any]) -> list[Student]:
    """Return the students of a document, as ``present_many_steps`` writes it."""
    found = []
    for one in document["students"]:
        changes = {name: one[name] for name in ("optimizer", "momentum", "student_step")}
        metrics = {name: np.array(metric["values"], dtype=float) for name, metric in one["metrics"].items()}
        curves = {
            name: Band(np.array(band["steps"], dtype=int), *(np.array(band[kind]) for kind in ("mean", "low", "high")))
            for name, band in one["curves"].items()
        }
        found.append(Student(ManyStepsConfig.parse(document["config"] | changes), metrics, curves))
    return found


def _conclusion(students: Sequence[Student]) -> str:
    away = [one for one in students if one.num_away]
    n = min(one.num_seeds for one in students)
    if not away:
        found = f"no student of {counted(len(students), 'setting')} ever pointed away from its teacher"
    else:
        listed = ", ".join(f"{one.name} at step {one.config.student_step:g}" for one in away[:6])
        more = f" and {len(away) - 6} more" if len(away) > 6 else ""
        found = f"students pointed away from their teacher with {listed}{more}; of {counted(len(students), 'setting')}"
    found = f"{found[0].upper()}{found[1:]}"
    few = f"; too few seeds for a conclusion, which needs {MIN_SEEDS}" if judged("", n=n) else ""
    return f"{found}{few}."
