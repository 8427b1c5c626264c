"""A teacher that runs share: trained once, and the same to the last bit."""

from __future__ import annotations

import pytest

from subtx_toy.data.dataset import Dataset
from subtx_toy.protocols import distillation as protocol
from subtx_toy.protocols.distillation import run_protocol
from subtx_toy.training.phase import PhaseResult
from subtx_toy.training.teacher import _KEPT, Teacher, TeacherCache, train_teacher
from tests.unit.protocols.test_distillation import configuration


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


@pytest.mark.parametrize(
    ("seed", "values"),
    [
        (1, {}),
        (0, {"width": 16}),
        (0, {"teacher_epochs": 1}),
        (0, {"loss_scale": 2.0}),
        (0, {"optimizer": "sgd"}),
        (0, {"batch_size": 50}),
        (0, {"precision": "fp32"}),
        (0, {"init_scale": 2.0}),
    ],
)
def test_another_teacher_is_trained_anew(
    seed: int, values: dict[str, object], monkeypatch: pytest.MonkeyPatch, striped_digits: Dataset
) -> None:
    run_protocol(configuration(), striped_digits, seed=0)
    trainings = _count_trainings(monkeypatch)
    run_protocol(configuration(**values), striped_digits, seed=seed)
    assert trainings == [1]


STUDENTS_ONLY = {
    "student_epochs": {"student_epochs": 1},
    "loss": {"loss": "squared_error"},
    "temperature": {"temperature": 3.0},
    "images": {"inputs": "images", "added_noise": 0.5},
    "num_inputs": {"num_inputs": 100},
    "noise": {"input_pool": "fresh", "noise_dim": 20, "noise_contrast": "kept", "noise_limit": 1.0},
    "grey levels": {"noise_grid": True},
    "student_noise": {"student_noise": 0.1, "student_noise_unit": "parameter_sd", "student_noise_layers": "hidden"},
    "students": {"students": "aux"},
    "probe": {"probe": True},
}


@pytest.mark.parametrize("values", STUDENTS_ONLY.values(), ids=STUDENTS_ONLY)
def test_a_setting_of_the_students_leaves_the_teacher_as_it_is(
    values: dict[str, object], monkeypatch: pytest.MonkeyPatch, striped_digits: Dataset
) -> None:
    one = run_protocol(configuration(), striped_digits, seed=0)
    trainings = _count_trainings(monkeypatch)
    two = run_protocol(configuration(**values), striped_digits, seed=0)
    assert trainings == []
    monkeypatch.setattr(protocol, "_TEACHERS", TeacherCache())
    alone = run_protocol(configuration(**values), striped_digits, seed=0)
    assert one.accuracy["teacher"] == two.accuracy["teacher"] == alone.accuracy["teacher"]
    assert one.curves["teacher.loss"] == two.curves["teacher.loss"] == alone.curves["teacher.loss"]


def test_only_the_last_few_teachers_are_kept() -> None:
    cache, trained = TeacherCache(), []

    def train() -> Teacher:
        trained.append(1)
        return Teacher({}, 0.1, 0.9, PhaseResult({}, 0.0))

    for seed in [*range(_KEPT + 1), 0]:
        cache.get(seed, train)
    assert len(trained) == _KEPT + 2
