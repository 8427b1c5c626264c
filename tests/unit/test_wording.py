"""What is counted stands in the singular after 1, and a p-value is never printed as 0."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import subtx_toy
from subtx_toy.wording import be, counted, p_equation, p_words

ROOT = Path(subtx_toy.__file__).parent
LAYERS = ("api", "audit", "channel", "cli", "figures", "lm", "report", "results", "store", "sweep")
NOUNS = (
    "box", "check", "claim", "configuration", "control", "file", "image", "line", "list", "model", "number", "pair",
    "piece", "problem", "processor", "record", "row", "run", "seed", "setting", "step", "student", "trait", "trial",
    "word",
)  # fmt: skip
ALWAYS_MANY = {
    "loaded.model.context - 3", "table.num_settings", "len(found)", "len(NULL_CONTROLS)", "len(ranked)",
    "teachers['teacher.steps']['mean']:.0f",
}  # fmt: skip
"""Numbers that are never 1: of the package's own lists, or means."""


def _bare_plurals(source: str) -> Iterator[str]:
    """Yield the numbers of f-strings that a noun in the plural follows without ``counted``."""
    plurals = "|".join(counted(2, noun).removeprefix("2 ") for noun in NOUNS)
    plural = re.compile(rf" ({plurals})\b")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for value, after in zip(node.values, node.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant):
                    text = ast.unparse(value.value)
                    if plural.match(str(after.value)) and not re.fullmatch(r"[\w.]*\b_?[A-Z][A-Z_]+", text):
                        yield text + (f":{ast.unparse(value.format_spec)[2:-1]}" if value.format_spec else "")


@pytest.mark.parametrize("layer", LAYERS)
def test_no_number_is_followed_by_a_plural_that_does_not_look_at_it(layer: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {text}"
        for path in sorted((ROOT / layer).rglob("*.py"))
        for text in _bare_plurals(path.read_text(encoding="utf-8"))
        if text not in ALWAYS_MANY
    }
    assert not found, "use wording.counted"


@pytest.mark.parametrize("page", sorted([*ROOT.rglob("*.jinja"), *ROOT.rglob("*.html")]), ids=lambda path: path.name)
def test_pages_look_at_their_numbers_too(page: Path) -> None:
    found = re.findall(r"(\w+(?: \| length)?) \}\} (?:trial|seed|line|number)s\b", page.read_text(encoding="utf-8"))
    assert set(found) <= {"num_seeds"}, "the explorer's paths have five seeds; others use counted"


def test_a_bare_plural_is_seen() -> None:
    assert list(_bare_plurals('f"{num} seeds"')) == ["num"]
    assert not list(_bare_plurals("f\"{counted(num, 'seed')} of {MIN_SEEDS} seeds\""))


@pytest.mark.parametrize(
    ("num", "noun", "text"),
    [(1, "trial", "1 trial"), (0, "trial", "0 trials"), (2, "pair of lines", "2 pairs of lines"), (1, "box", "1 box"),
     (2, "box", "2 boxes"), (2, "try", "2 tries"), (2, "day", "2 days")],
)  # fmt: skip
def test_only_one_is_in_the_singular(num: int, noun: str, text: str) -> None:
    assert counted(num, noun) == text


def test_the_verb_agrees() -> None:
    assert [be(num) for num in (0, 1, 2)] == ["are", "is", "are"]


@pytest.mark.parametrize("p_value", [0.0, 5e-324, 1e-301, 1e-20, 9.99e-4, 1e-3, 0.05, 1.0])
def test_a_p_value_is_never_zero(p_value: float) -> None:
    text = p_words(p_value)
    assert float(text.removeprefix("< ")) > 0
    assert p_equation(p_value) == (f"p {text}" if text.startswith("<") else f"p = {text}")


def test_a_missing_p_value_is_empty() -> None:
    assert p_words(None) == p_words(float("nan")) == ""
