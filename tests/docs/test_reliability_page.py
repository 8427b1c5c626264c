"""The page on what can be relied on: every test that it names exists, and no test of faults is left out."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = " ".join((ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").split())


def test_the_page_names_every_test_of_faults_and_none_that_is_not_there() -> None:
    named = set(re.findall(r"`(tests/[^`]*)`", PAGE))
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "faults").glob("test_*.py")} <= named


def test_the_counts_are_those_of_the_tests() -> None:
    from tests.faults import test_store_files, test_stores
    from tests.faults.test_store_files import FOREIGN, READING, STATES, TEXTS, WRITING

    words = {2: "two", 6: "six", 7: "seven", 8: "eight", 10: "ten", 11: "eleven"}
    assert f"each of {words[len(test_stores.WAYS)]} ways" in PAGE
    kinds, commands = len(FOREIGN) + len(TEXTS), len(READING) + len(WRITING)
    assert f"{words[kinds]} kinds of foreign files against {words[commands]} commands" in PAGE
    assert f"{words[len(STATES)]} states of the store" in PAGE
    assert f"each of {len(test_store_files.DAMAGES)} damages" in PAGE
