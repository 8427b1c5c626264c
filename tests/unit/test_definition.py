"""Experiment files: found by name and by path, validated, and their corrections."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from subtx_toy import definition
from subtx_toy.config import RunConfig
from subtx_toy.definition import Distillation, Published, PublishedArm
from subtx_toy.errors import InputError


@pytest.mark.parametrize("name", definition.names())
def test_every_packaged_experiment_is_valid(name: str) -> None:
    assert definition.read(name).name == name


def test_an_experiment_is_found_by_name_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert definition.read("cloud2025").config == RunConfig()


def test_an_experiment_is_found_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('question = "What now?"\n[config]\nwidth = 8\n')
    assert definition.read(str(path)).name == "mine"
    assert definition.read_distillation(str(path)).config.width == 8


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'cloud2025'"):
        definition.read("cloud2024")


def test_all_faults_of_a_file_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('seeds = "5:2"\n[config]\nwidht = 3\nlr = -1\n[published]\nsource = "x"\nn = 1\n')
    with pytest.raises(InputError) as caught:
        definition.read(str(path))
    text = str(caught.value)
    for part in (
        "question: expected a text, got nothing",
        "start < stop",
        "config.widht: unknown key; did you mean 'width'?",
        "config.lr: expected a finite number > 0, got -1",
        "published.n: expected an integer >= 2, got 1",
    ):
        assert part in text


@pytest.mark.parametrize("content", [b"= nonsense", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not valid TOML"):
        definition.read(str(path))


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        definition.read(str(tmp_path / "none.toml"))


def _published(**arms: PublishedArm) -> Published:
    return Published(source="a source", n=100, critical_value=1.96, arms=arms)


def test_correction_takes_out_one_model_in_n() -> None:
    # 99 clean models at .7 and one at .9 print .702.
    source = _published(
        student=PublishedArm(mean=0.9, ci95=0.01, contaminated_by=None),
        cross=PublishedArm(mean=0.702, ci95=0.0196, contaminated_by="student"),
    )
    assert source.clean_mean("cross") == pytest.approx(0.7)
    assert source.clean_standard_error("cross") == pytest.approx(math.hypot(0.01, 0.002))
    assert source.clean_mean("student") == 0.9
    assert source.clean_standard_error("student") == pytest.approx(0.01 / 1.96)


def test_corrected_control_of_the_reference_experiment() -> None:
    experiment = definition.read("cloud2025")
    assert isinstance(experiment, Distillation)
    published = experiment.published
    assert published is not None
    assert published.clean_mean("cross_aux") == pytest.approx(0.1017, abs=5e-5)
    assert published.clean_mean("cross_all") == pytest.approx(0.7413, abs=5e-5)


def test_a_contaminating_arm_must_exist() -> None:
    with pytest.raises(ValueError, match="contaminated_by"):
        _published(cross=PublishedArm(mean=0.7, ci95=0.01, contaminated_by="nobody"))


def test_a_grid_gives_every_combination_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'protocol = "one-step"\nquestion = "?"\n[config]\neps = 0.1\n'
        "[[grid]]\neps = [0.1, 0.2]\nwidth = [2, 3]\n[[grid]]\nstudent_lr = [1.0, 2.0]\nwidth = [2]\n"
    )
    experiment = definition.read(str(path))
    found = [config.model_dump() for config in experiment.configs()]
    assert [(one["eps"], one["width"], one["student_lr"]) for one in found] == [
        (0.1, 2, 1.0), (0.1, 3, 1.0), (0.2, 2, 1.0), (0.2, 3, 1.0), (0.1, 2, 2.0),
    ]  # fmt: skip
    assert {config.model_dump()["width"] for config in experiment.configs(["width=5"])} == {5}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('protocol = "two-step"\n', "protocol: expected one of ['distillation', 'one-step'], got 'two-step'"),
        ('protocol = "one-step"\n[[grid]]\nwidth = [0]\n', "grid: width: expected an integer >= 1, got 0"),
        ("[[grid]]\nwidth = [2]\n", "grid: expected none with protocol 'distillation'"),
    ],
)
def test_a_wrong_protocol_or_grid_is_one_clear_error(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('question = "?"\n' + text + "[config]\n")
    with pytest.raises(InputError) as caught:
        definition.read(str(path))
    assert sentence in str(caught.value)
