"""The comparison of documents finds what is missing and what changed, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.compatibility.documents import differences

OLD: dict[str, Any] = {
    "arms": {"teacher": {"mean": 0.25, "n": 2}},
    "values": [0.5, None, True],
    "rows": [{"id": "C1", "verdict": "holds"}, {"id": "C2", "verdict": "0.73 of it"}],
    "seconds": 1.5,
}


def _changed(*path: Any, to: Any) -> dict[str, Any]:
    new = copy.deepcopy(OLD)
    *way, last = path
    place: Any = new
    for key in way:
        place = place[key]
    place[last] = to
    return new


def test_a_document_has_no_differences_from_itself() -> None:
    assert differences(OLD, copy.deepcopy(OLD)) == []


@pytest.mark.parametrize(
    ("new", "where"),
    [
        (_changed("arms", "teacher", "mean", to=0.25000000000000006), "document.arms.teacher.mean"),
        (_changed("arms", "teacher", "n", to=2.0), "document.arms.teacher.n"),
        (_changed("arms", "teacher", "n", to=3), "document.arms.teacher.n"),
        (_changed("arms", "teacher", to={"n": 2}), "document.arms.teacher.mean"),
        (_changed("arms", to={}), "document.arms.teacher"),
        (_changed("values", 1, to=0.0), "document.values[1]"),
        (_changed("values", 2, to=1), "document.values[2]"),
        (_changed("values", to=[0.5, None]), "document.values"),
        (_changed("values", to=[0.5, None, True, True]), "document.values"),
        (_changed("values", 0, to=None), "document.values[0]"),
        (_changed("rows", 1, "verdict", to="0.74 of it"), "document.rows.C2.verdict"),
        (_changed("rows", to=OLD["rows"][:1]), "document.rows.C2"),
        (_changed("rows", to=[]), "document.rows"),
        (_changed("seconds", to=1.6), "document.seconds"),
    ],
)
def test_a_planted_difference_is_found_where_it_is(new: dict[str, Any], where: str) -> None:
    assert {one.partition(":")[0] for one in differences(OLD, new)} == {where}


@pytest.mark.parametrize(
    "new",
    [
        _changed("more", to=1),
        _changed("arms", "teacher", "more", to=1),
        _changed("rows", to=[{"id": "C0"}, *reversed(OLD["rows"])]),
    ],
)
def test_additions_are_no_differences(new: dict[str, Any]) -> None:
    assert differences(OLD, new) == []


def test_a_volatile_value_may_change_and_may_not_be_missing() -> None:
    assert differences(OLD, _changed("seconds", to=2.5), volatile=["seconds"]) == []
    without = {key: value for key, value in OLD.items() if key != "seconds"}
    assert differences(OLD, without, volatile=["seconds"]) == ["document.seconds: expected it, got none"]


def test_a_tolerance_is_relative_to_one_or_more_and_for_floats_and_numbers_in_texts() -> None:
    assert differences(OLD, _changed("arms", "teacher", "mean", to=0.34), tolerance=0.1) == []
    assert differences(OLD, _changed("arms", "teacher", "mean", to=0.36), tolerance=0.1) != []
    assert differences({"z": 100.0}, {"z": 109.0}, tolerance=0.1) == []
    assert differences({"z": 100.0}, {"z": 111.0}, tolerance=0.1) != []
    assert differences({"z": 100.0}, {"z": float("nan")}, tolerance=0.1) != []
    assert differences(OLD, _changed("rows", 1, "verdict", to="0.74 of it"), tolerance=0.1) == []
    assert differences(OLD, _changed("rows", 1, "verdict", to="0.73 of all"), tolerance=0.1) != []
    assert differences(OLD, _changed("arms", "teacher", "n", to=3), tolerance=0.1) != []
