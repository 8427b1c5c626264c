"""The control of the checks of annotations: a planted error is found where they are on, and only there."""

from __future__ import annotations

import jaxtyping
import pytest

from subtx_toy.problem.losses import squared_error
from tests.reference.annotations import unchecked


def _planted() -> None:
    squared_error().mean(1.0, 2.0)  # type: ignore[arg-type]


def test_checks_are_on_where_asked_for_and_can_be_left_out_for_a_while(pytestconfig: pytest.Config) -> None:
    if not pytestconfig.getoption("jaxtyping_packages"):
        with pytest.raises(AttributeError):  # which is what happens without them
            _planted()
        return
    with pytest.raises(jaxtyping.TypeCheckError):
        _planted()
    with pytest.raises(AttributeError), unchecked():
        _planted()
    with pytest.raises(jaxtyping.TypeCheckError):  # again, after an error within
        _planted()
