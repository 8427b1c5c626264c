"""Published sweeps: what their files may say, and the standard errors that follow from what is printed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from subtx_toy.errors import InputError
from subtx_toy.settings import experiment_file as definition
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.packaged import names
from subtx_toy.settings.published import PublishedSweep, full_name
from subtx_toy.stats import Estimate

OURS = Estimate(0.5, 0.02, 16)
FILE = """
question = "?"
[config]
dataset = "glyphs"
[[grid]]
width = [16, 32]
[published]
source = "a source"
n = 4
{more}
points = [{points}]
"""


def _published(**values: object) -> PublishedSweep:
    return PublishedSweep.model_validate({"source": "a source", "n": 4, "points": []} | values)


def _read(tmp_path: Path, points: str, more: str = "") -> DistillationSweep:
    path = tmp_path / "swept.toml"
    path.write_text(FILE.format(points=points, more=more), encoding="utf-8")
    found = definition.read(str(path))
    assert isinstance(found, DistillationSweep)
    return found


@pytest.mark.parametrize(
    ("spread", "value", "error"),
    [
        ("sd", [0.4, 0.1], 0.05),
        ("ci95", [0.4, 0.098], 0.05),
        ("none", [0.4], 0.04),  # our sd of .02 sqrt(16) over 4 models
        ("sd", [0.4], 0.04),
    ],
)
def test_the_standard_error_follows_from_what_is_printed(spread: str, value: list[float], error: float) -> None:
    found = _published(spread=spread).estimate(value, OURS)
    assert (found.mean, found.n) == (0.4, 4)
    assert found.standard_error == pytest.approx(error)


def test_a_point_of_fewer_runs_has_their_standard_error() -> None:
    found = _published(spread="sd").estimate([0.4, 0.15], OURS, n=9)
    assert found.n == 9
    assert found.standard_error == pytest.approx(0.05)


def test_the_error_of_reading_a_figure_is_added_in_quadrature() -> None:
    found = _published(reading=0.03).estimate([0.4], OURS)
    assert found.standard_error == pytest.approx(math.hypot(0.04, 0.03 / math.sqrt(3)))


def test_an_arm_alone_means_its_accuracy() -> None:
    assert full_name("teacher") == "teacher.accuracy"
    assert full_name("student_aux.hidden_cosine") == "student_aux.hidden_cosine"


def test_a_file_with_a_grid_is_a_sweep_with_a_configuration_for_every_point(tmp_path: Path) -> None:
    found = _read(tmp_path, "{ at = { width = 16 }, values = { teacher = [0.9] } }")
    assert [config.model_dump()["width"] for config in found.configs()] == [16, 32]
    assert found.point({"width": 16}) == found.configs()[0]


@pytest.mark.parametrize(
    ("points", "more", "message"),
    [
        ("{ at = { width = 64 }, values = { teacher = [0.9] } }", "", "is no point of the grid"),
        ("{ at = { width = 16 }, values = { techer = [0.9] } }", "", "unknown metric 'techer'"),
        ("{ at = { width = 16 }, values = { teacher = [0.9, 0.1] } }", "", "expected one number with spread 'none'"),
        ("{ at = { width = 16 }, values = { teacher = [1.9] } }", "", "published.points"),
        ("{ at = { widht = 16 }, values = { teacher = [0.9] } }", "", "widht"),
        ("", "spread = 'se'", "spread: expected one of 'sd', 'ci95', 'none', got 'se'"),
    ],
)
def test_what_is_wrong_is_named(points: str, more: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        _read(tmp_path, points, more)
    assert message in "\n".join(caught.value.problems)


SWEEPS = [name for name in names() if isinstance(definition.read(name), DistillationSweep)]


@pytest.mark.parametrize("name", SWEEPS)
def test_every_packaged_sweep_has_a_point_for_each_published_value(name: str) -> None:
    sweep = definition.read(name)
    assert isinstance(sweep, DistillationSweep)
    assert len(set(sweep.configs())) == len(sweep.configs())
    if sweep.published is not None:
        assert sweep.published.points
        assert all(sweep.point(point.at) in sweep.configs() for point in sweep.published.points)
