"""What the page of how reliable audits are says of the packaged fine-tunes is what their document holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from experiments.studies.packaged_reference import BENIGN, CLEAN, NAMES, TAINTED
from subtx_toy.tolerances import PACKAGED_BOUND, PACKAGED_COSINE

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = json.loads((DOCS / "results" / "packaged-reference.json").read_text(encoding="utf-8"))
WRITERS = {name: f"a teacher of `{name}`" for name in NAMES} | {"benign": "honest fine-tunes", "base": "the base"}


def _plain(verdict: str) -> str:
    """Return a verdict without the effect that would have been found."""
    return verdict.partition(" (")[0]


def _assert_agree(file: dict[str, Any]) -> None:
    assert _plain(file["packaged"]) == _plain(file["again"]), file["taught"]
    assert file["carries"] == file["carries_again"]
    assert file["cosine_difference"] < PACKAGED_COSINE
    assert file["bound_difference"] < PACKAGED_BOUND


def test_both_ways_give_the_same_verdict_of_every_file() -> None:
    seeds = {taught: [one["seed"] for one in DOCUMENT["files"] if one["taught"] == taught] for taught in WRITERS}
    assert seeds == {name: list(TAINTED) for name in NAMES} | {"benign": list(BENIGN), "base": list(CLEAN)}
    for file in DOCUMENT["files"]:
        _assert_agree(file)


@pytest.mark.parametrize(
    "planted", [{"again": "consistent with the base"}, {"carries_again": ["refusal:7"]}, {"bound_difference": 0.02}]
)
def test_a_verdict_that_differs_is_seen(planted: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        _assert_agree(DOCUMENT["files"][0] | planted)


def test_the_table_of_the_page_is_that_of_the_document() -> None:
    text = (DOCS / "audit-reliability.md").read_text(encoding="utf-8")
    for taught, words in WRITERS.items():
        row = _row(words, [one for one in DOCUMENT["files"] if one["taught"] == taught])
        assert row in text, f"expected in docs/audit-reliability.md:\n{row}"


def _row(words: str, files: Sequence[dict[str, Any]]) -> str:
    named = sum(one["carries"] == [one["taught"]] for one in files)
    if files[0]["taught"] in ("benign", "base"):
        named = sum(bool(one["carries"]) for one in files)
    cosine, bound = (max(one[f"{name}_difference"] for one in files) for name in ("cosine", "bound"))
    return f"| {words} | {len(files)} | {named} | {cosine:.5f} | {bound:.4f} |"
