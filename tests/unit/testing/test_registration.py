from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from hypothesis import Phase, find, settings
from hypothesis import strategies as st

import subtx_toy.testing
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.testing import registration
from tests.reference.examples import slow

# beartype, which checks the annotations of the package under pytest, looks at a random item of each sequence.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not use the .random. module:hypothesis.errors.HypothesisDeprecationWarning"
)

ROOT = Path(__file__).parents[3]
LOADED_BEFORE_HYPOTHESIS = """
import sys
from subtx_toy.testing.registration import register_strategies
assert "torch" not in sys.modules
from subtx_toy.problem.problem import Problem
import hypothesis
register_strategies()
"""
LOADED_BY_A_STRATEGY = """
import hypothesis, sys
from subtx_toy.testing.registration import register_strategies
register_strategies()
assert "torch" not in sys.modules
from subtx_toy.problem.problem import Problem
from subtx_toy.testing import problems
"""
DRAWN = """
from hypothesis import find, strategies as st
from subtx_toy.problem.model import MLP
from subtx_toy.problem.losses import Loss
quick = hypothesis.settings(phases=[hypothesis.Phase.generate])
for kind in (Problem, MLP, Loss):
    assert isinstance(find(st.from_type(kind), lambda _: True, settings=quick), kind)
"""


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("order", [LOADED_BY_A_STRATEGY, *slow(LOADED_BEFORE_HYPOTHESIS)])
def test_types_are_drawn_in_a_fresh_process(order: str) -> None:
    run(order + DRAWN)


def test_the_entry_point_names_the_hook() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (value,) = project["entry-points"]["hypothesis"].values()
    assert EntryPoint("subtx_toy", value, "hypothesis").load() is registration.register_strategies


def test_the_package_and_its_assertions_do_not_need_hypothesis() -> None:
    blocked = "import sys; sys.modules['hypothesis'] = None\n"
    run(blocked + "import subtx_toy.problem.problem, subtx_toy.testing\nsubtx_toy.testing.assert_dichotomy")


def test_every_name_of_the_package_is_there() -> None:
    for name in subtx_toy.testing.__all__:
        assert getattr(subtx_toy.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'strategys'"):
        subtx_toy.testing.strategys  # noqa: B018


def test_types_are_drawn_where_registered_by_hand() -> None:
    registration.register_strategies()
    assert find(st.from_type(ProblemSpec), lambda _: True) == ProblemSpec()
    unshrunk = settings(phases=[Phase.generate])
    assert isinstance(find(st.from_type(Problem), lambda _: True, settings=unshrunk), Problem)
