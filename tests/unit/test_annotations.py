"""The controls of the annotations' checks: a planted error is found where they are on, and only there."""

from __future__ import annotations

from collections.abc import Iterator

import jaxtyping
import pytest

from subtx_toy.problem.losses import squared_error
from tests.reference.annotations import first_checked, unchecked


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = jaxtyping.config.jaxtyping_disable
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


def _planted() -> None:
    squared_error().mean(1.0, 2.0)  # type: ignore[arg-type]


def test_checks_are_on_and_can_be_left_out_for_a_while() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        _planted()
    with pytest.raises(AttributeError), unchecked():  # which is what happens without them
        _planted()
    with pytest.raises(jaxtyping.TypeCheckError):  # again, after an error within
        _planted()


@pytest.mark.parametrize(("early", "later"), [(True, jaxtyping.TypeCheckError), (False, AttributeError)])
def test_only_the_first_calls_are_checked_unless_one_of_them_failed(early: bool, later: type[Exception]) -> None:
    def property_of(*, wrong: bool) -> None:
        if wrong:
            _planted()

    example = first_checked(property_of, 5)
    if early:
        with pytest.raises(jaxtyping.TypeCheckError):
            example(wrong=True)
    for _ in range(5):
        example(wrong=False)
    with pytest.raises(later):
        example(wrong=True)
