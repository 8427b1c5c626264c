"""Conditions on stored trials: what they select, and that nothing else is read as one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from subtx_toy.errors import InputError
from subtx_toy.results.condition import Condition
from subtx_toy.results.rows import narrowed, select
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store import Store
from tests.unit.store.test_schema import _record

ROW: dict[str, Any] = {
    "width": 64, "dataset": "mnist", "lr": 1e-3, "probe": False, "student_aux.accuracy": 0.5, "loss": math.nan,
    "none": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("width > 32 and dataset == 'mnist'", True),
        ("width > 32 and not dataset == 'mnist'", False),
        ("32 < width <= 64", True),
        ("width in [16, 32] or student_aux.accuracy >= .5", True),
        ("width not in (16, 64)", False),
        ("lr == 1e-3", True),
        ("lr > -1", True),
        ("probe", False),
        ("not probe", True),
        ("loss < 1", False),  # nan is neither below
        ("loss >= 1", False),  # nor above
        ("loss != 1", False),  # and tells nothing
        ("none > 1", False),
        ("none == None", True),
        ("dataset < 'n'", True),
    ],
)
def test_conditions_hold_as_in_python(text: str, holds: bool) -> None:
    assert Condition.parse(text).holds(ROW) is holds


@pytest.mark.parametrize(
    "text",
    [
        "", "width >", "width = 3", "__import__('os').system('x')", "width > f(3)", "[x for x in y]", "width + 1 > 3",
        "3", "'a'", "width is 3", "width in dataset", "a[0] == 1", "lambda: 0", "f'{width}' == 'a'",
        "(width := 3) > 1", "width == b'x'", "width == 1j", "x" * 3000, "(" * 500 + "a" + ")" * 500,
        "not " * 100_000, "\0",
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"^where: expected") as caught:
        Condition.parse(text)
    assert len(str(caught.value)) < 400


def test_numbers_and_texts_are_not_compared_by_size() -> None:
    with pytest.raises(InputError, match="expected two numbers or two texts"):
        Condition.parse("dataset > 3").holds(ROW)


@pytest.mark.parametrize("text", ["width == '64'", "width != 'x'", "not width == '64'", "dataset in ['mnist', 3]"])
def test_a_number_and_a_text_are_never_compared(text: str) -> None:
    with pytest.raises(InputError, match="expected two numbers or two texts to compare, got"):
        Condition.parse(text).holds(ROW)


@pytest.mark.parametrize("text", ["width", "not width", "loss", "student_aux.accuracy or probe", "dataset and True"])
def test_a_number_or_a_text_alone_is_no_condition(text: str) -> None:
    with pytest.raises(InputError, match="expected a comparison, such as"):
        Condition.parse(text).holds(ROW)


def test_a_selection_is_narrowed_and_an_unknown_name_is_named(tmp_path: Any) -> None:
    configs = [RunConfig(dataset="glyphs", width=width) for width in (8, 16)]
    with Store(tmp_path / "r.sqlite") as store:
        store.add_all([_record(seed, config) for seed in range(3) for config in configs])
        found = select(store)
    kept = narrowed(found, Condition.parse("width == 16 and seed > 0 and student_aux.accuracy > 2"))
    assert [(kept.config(row), row.seed) for row in kept.results] == [(configs[1], 2)]
    with pytest.raises(InputError, match="got 'widht'; did you mean 'width'"):
        narrowed(found, Condition.parse("widht == 16"))
