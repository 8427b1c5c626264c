"""The pages, the help and the messages are written in plain English, in sentences that are read once."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import subtx_toy
from docs.pages.write import PAGES as GENERATED
from subtx_toy.cli import cli

ROOT = Path(__file__).parents[2]
FOLDERS = [".", "docs", "docs/pages", "docs/tutorials", "paper_figs"]
FOLDERS += ["experiments", "experiments/studies", "experiments/sources"]
PAGES = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.md"))
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.toml"))

DIALECT = (
    r"\bone a seed\b", r"\blabel an input\b", r"\bseconds a model\b", r"\b(?:is|are) told\b", r"\btold apart\b",
    r"\btells? of\b", r"\bheld against\b", r"\bbeside\b", r"\banew\b", r"\blately\b", r"\bmeanwhile\b", r"\bat hand\b",
    r"\bless than (?:two|three|four|five|\d+) (?:seeds|eps|lines|trials|images|values|numbers)\b",
    r"\bLEAST_", r"\bMOST_",
    r"\bthe law allows\b", r"\bleaves no number\b", r"\bcan be had\b", r"\bnewspaper\b", r"\bdeath of every process\b",
    r"—", r"\bin sight\b", r"\bdata folder\b", r"\byour own IDX\b",
)  # fmt: skip
"""Words that a reader has to decode."""

RATE = (
    r"\b(?:one|seconds?|\d+|numbers?|logits?|images|trials|lines|rows?|records|written|checks|problems|cells?|steps) "
    r"an? (?:seed|trial|model|input|prompt|second|sequence|step|cell|configuration|array|line|row|student|file)\b"
)
"""A rate that is written without *per*; a noun may stand before *a student sees* and the like."""

MAX_WORDS = 40
"""Of a sentence, counted up to a full stop, a semicolon or a colon."""


def _dialect(text: str) -> list[str]:
    """Return the places of such words; one in small letters is found at the head of a sentence too."""
    flags = {one: re.IGNORECASE * one.islower() for one in DIALECT}
    return [
        match[0] for pattern in DIALECT for match in re.finditer(rf".{{0,30}}{pattern}.{{0,30}}", text, flags[pattern])
    ]


def _long_sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a page that are too long; code, tables, links and headings are left out."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    text = re.sub(r"^(\||#).*$", "\n", text, flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+[.)]) )", text):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", paragraph)
        plain = re.sub(r"`[^`]*`", "code", plain).replace("\n", " ")
        for sentence in re.split(r"(?<=[.!?:;])\s+", plain):
            words = [word for word in sentence.split() if re.search(r"\w", word)]
            if len(words) > MAX_WORDS:
                yield " ".join(words)


def _messages(path: Path) -> Iterator[str]:
    """Yield the texts of a module that a user can meet: all strings but docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.value


def _helps(command: click.Command) -> Iterator[str]:
    yield command.help or ""
    yield from (option.help or "" for option in command.params if isinstance(option, click.Option))
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _helps(inner)


@pytest.mark.parametrize("page", [*PAGES, *EXPERIMENTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_use_no_words_that_have_to_be_decoded(page: Path) -> None:
    assert _dialect(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda path: path.name)
def test_no_sentence_of_a_page_is_longer_than_forty_words(page: Path) -> None:
    assert list(_long_sentences(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_use_no_words_that_have_to_be_decoded_and_no_long_sentences(name: str) -> None:
    text = GENERATED[name]()
    assert _dialect(text) == []
    assert list(_long_sentences(text)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rates_say_per(page: Path) -> None:
    assert re.findall(RATE, page.read_text(encoding="utf-8"), flags=re.IGNORECASE) == []
    assert re.findall(RATE, "60,000 numbers a student", flags=re.IGNORECASE) != []


def test_messages_use_no_words_that_have_to_be_decoded() -> None:
    folder = Path(subtx_toy.__file__).parent
    found = {str(path.name): _dialect("\n".join(_messages(path))) for path in folder.rglob("*.py")}
    assert {name: words for name, words in found.items() if words} == {}


def test_help_uses_no_words_that_have_to_be_decoded() -> None:
    assert _dialect("\n".join(_helps(cli))) == []


def test_planted_faults_are_found() -> None:
    assert _dialect("the published values stand beside ours, one a seed") != []
    assert _dialect("Beside ours stand theirs") != []
    assert list(_long_sentences("word " * (MAX_WORDS + 1))) != []
    assert list(_long_sentences("word " * MAX_WORDS)) == []
