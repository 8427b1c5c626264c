"""A teacher that runs share: trained once, and the same to the last bit."""

from __future__ import annotations

import pytest

from subtx_toy.data.dataset import Dataset
from subtx_toy.protocols import distillation as protocol
from subtx_toy.protocols.distillation import run_protocol
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.training.phase import PhaseResult
from subtx_toy.training.teacher import _KEPT, _STUDENTS_ONLY, Teacher, TeacherCache, train_teacher
from tests.unit.protocols.test_distillation import configuration
from tests.unit.settings.test_settings import BASES, OTHER_VALUES


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_TEACHERS", TeacherCache())


def _count_trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted: list[int] = []
    original = train_teacher

    def counting(*args: object, **kwargs: object) -> Teacher:
        counted.append(1)
        return original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(protocol, "train_teacher", counting)
    return counted


def test_a_shared_teacher_changes_no_bit(monkeypatch: pytest.MonkeyPatch, striped_digits: Dataset) -> None:
    config = configuration(precision="fp32", loss="squared_error")
    alone = run_protocol(config, striped_digits, seed=0)
    monkeypatch.setattr(protocol, "_TEACHERS", TeacherCache())
    run_protocol(configuration(precision="fp32"), striped_digits, seed=0)
    trainings = _count_trainings(monkeypatch)
    after_another = run_protocol(config, striped_digits, seed=0)
    assert trainings == []
    assert (after_another.accuracy, after_another.curves) == (alone.accuracy, alone.curves)


@pytest.mark.parametrize(("seed", "values"), [(1, {}), (0, {"width": 16}), (0, {"teacher_epochs": 1})])
def test_another_teacher_is_trained_anew(
    seed: int, values: dict[str, object], monkeypatch: pytest.MonkeyPatch, striped_digits: Dataset
) -> None:
    run_protocol(configuration(), striped_digits, seed=0)
    trainings = _count_trainings(monkeypatch)
    run_protocol(configuration(**values), striped_digits, seed=seed)
    assert trainings == [1]


@pytest.mark.parametrize("name", sorted(_STUDENTS_ONLY))
def test_a_setting_of_the_students_leaves_the_teacher_as_it_is(name: str, striped_digits: Dataset) -> None:
    special = {"num_inputs": 100, "noise_dim": 20, "students": "aux", "student_epochs": 1, "temperature": 3.0}
    base = configuration(**{key: value for key, value in BASES.get(name, RunConfig()) if key == "inputs"})
    other = configuration(**{"inputs": base.inputs} | {name: special.get(name, OTHER_VALUES.get(name, 1.0))})
    one, two = (run_protocol(config, striped_digits, seed=0) for config in (base, other))
    assert one.accuracy["teacher"] == two.accuracy["teacher"]
    assert one.curves["teacher.loss"] == two.curves["teacher.loss"]


def test_only_the_last_few_teachers_are_kept(striped_digits: Dataset) -> None:
    cache, trained = TeacherCache(), []

    def train() -> Teacher:
        trained.append(1)
        return Teacher({}, 0.1, 0.9, PhaseResult({}, 0.0))

    for seed in [*range(_KEPT + 1), 0]:
        cache.get(RunConfig(), striped_digits, seed=seed, train=train)
    assert len(trained) == _KEPT + 2
