"""What the environment and files can do: one message in our own words, and never a traceback."""

from __future__ import annotations

import typing
from collections.abc import Callable
from pathlib import Path

import pydantic
import pytest
from pydantic_core import core_schema

from subtx_toy.channel.number_filter import FilterRules
from subtx_toy.claims.instance import given
from subtx_toy.errors import InputError
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.messages import quoted
from subtx_toy.settings.model_faults import _EXPECTED, expectation, explain
from subtx_toy.sweep.plan import Plan

FOREIGN_WORDS = (
    "Input should", "input should", "validation error", "literal", "expected dict", "expected str", "expected int",
    "expected list,", "pydantic", "Traceback", "NoneType", "codec can't", "datetime.", "Exceeds the limit", "Errno",
)  # fmt: skip
"""Words of Python and of the library that validates; they are no words of ours."""

PLAN = 'experiment = "tiny"\n'
DRAWN = "[axes]\nlr = 'loguniform:1e-4:1e-1'\n"


def plan_file(path: Path) -> object:
    return Plan.read(str(path))


@pytest.mark.parametrize(
    ("read_it", "content", "sentence"),
    [
        (plan_file, PLAN + "zip = [1, 2]", "zip: expected a table of two or more settings, got 1"),
        (plan_file, PLAN + "zip = 3", "zip: expected tables, [[zip]], got 3"),
        (plan_file, PLAN + "[[zip]]\nwidth = [1]", "zip: expected a table of two or more settings"),
        (plan_file, PLAN + "[[zip]]\nwidth = [1, 2]\nlr = 3", "zip: expected lists of one length for width, lr"),
        (plan_file, PLAN + "axes = [1]", "axes: expected a table, got [1]"),
        (plan_file, PLAN + "sample = -3\n" + DRAWN, "sample: expected an integer >= 1, got -3"),
        (plan_file, PLAN + "sample = 0\n" + DRAWN, "sample: expected an integer >= 1, got 0"),
        (plan_file, PLAN + "sample = true\n" + DRAWN, "sample: expected an integer, got True"),
        (plan_file, PLAN + "sample = 3\nsample_seed = -1\n" + DRAWN, "sample_seed: expected an integer >= 0, got -1"),
        (plan_file, PLAN + "seeds = [1]", 'seeds: expected a text such as "0:10", got [1]'),
        (plan_file, PLAN + "[axes]\nwidth = []", "width: expected at least one value, got none"),
        (plan_file, PLAN + "[axes]\nwidth = {a = 1}", "width: expected an integer >= 1, got {'a': 1}"),
        (plan_file, PLAN + "[axes]\nwidth = 2020-01-01", "width: expected an integer >= 1, got the date or time 2020"),
        (plan_file, PLAN + "[axes]\nwidth = [nan]", "width: expected an integer >= 1, got nan"),
        (plan_file, PLAN + "[axes]\nwidth = 'linear:-1e308:1e308:3'", "expected ends less far apart"),
        (plan_file, PLAN + "[axes]\nlr = 'log:1e-300:1e300:3'", "expected ends less far apart"),
        (plan_file, PLAN + "sample = 2\n[axes]\nlr = 'uniform:-1e308:1e308'", "expected LOW and HIGH less far apart"),
        (plan_file, b"\xff\xfe" + PLAN.encode(), "expected UTF-8 text"),
        (plan_file, PLAN + "[axes]\nzzz = ''", "zzz: expected at least one value, got ''"),
        (plan_file, PLAN + "a = 'x", "is not valid TOML"),
        (plan_file, PLAN + "[axes]\n[axes]", "is not valid TOML: a table stands there twice (at line "),
        (plan_file, PLAN + "[axes]\nlr = 1\nlr = 2\n", "is not valid TOML: a key stands there twice (at line 4"),
        (plan_file, PLAN + "axes = {a = 1, a = 2}", "is not valid TOML: a key stands there twice (at line "),
        (read, "grid = 3\nquestion = 3\nconfig = 3\npublished = 3", "grid: expected a list, got 3"),
        (read, "protocol = ['a']", "protocol: expected one of"),
        (read, "question = 'q'\n[config]\n[[grid]]\nname = 3", "grid.0.name: expected a list, got 3"),
        (read, "question = 'q'\n[config]\n[[grid]]\nwidth = []", "grid.0.width: expected a list with 1 value or more"),
        (
            read,
            "question = 'q'\n[config]\n[published]\nsource = 's'\nn = 1\n[published.arms]\nteacher = 3",
            "published.arms.teacher: expected a table, got 3",
        ),
        (
            read,
            "question = 'q'\n[config]\n[published]\nsource = 's'\nn = 2\n[published.arms.x]\nmean = 'a'\nci95 = 2",
            "published.arms.x.mean: expected a finite number >= 0, got 'a'",
        ),
        (FilterRules.read, "banned = 3", "banned: expected a list, got 3"),
        (FilterRules.read, "banned = [1, 'a', 1000]", "banned.1: expected an integer, got 'a'"),
        (FilterRules.read, "banned = [1000]", "banned.0: expected a number < 1000, got 1000"),
        (FilterRules.read, "most_numbers = nan", "most_numbers: expected an integer >= 1, got nan"),
        (FilterRules.read, b"\xff", "rules: expected UTF-8 text"),
        (given, "eps = 'a'", "eps: expected a finite number >= 0, got 'a'"),
        (given, b"\xff", "problem: expected UTF-8 text"),
    ],
)
def test_a_wrong_file_is_told_in_our_own_words(
    read_it: Callable[[Path], object], content: str | bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "file.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        read_it(path)
    assert sentence in str(caught.value)
    assert [word for word in FOREIGN_WORDS if word in str(caught.value)] == []


@pytest.mark.parametrize(
    ("read_it", "content"),
    [
        (plan_file, PLAN + "[axes]\nwidth = [8, 16]"),
        (read, "question = 'q'\n[config]\nwidth = 8"),
        (FilterRules.read, "banned = [1]"),
        (given, "eps = 0.5"),
    ],
)
def test_a_byte_order_mark_is_skipped(read_it: Callable[[Path], object], content: str, tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text(content, encoding="utf-8-sig")
    assert read_it(path)


def test_every_kind_of_fault_that_pydantic_knows_has_words_of_ours() -> None:
    assert set(typing.get_args(core_schema.ErrorType)) == set(_EXPECTED), "a release with other kinds"
    for kind in _EXPECTED:
        assert expectation(kind, {}), kind
    assert expectation("a_kind_of_tomorrow", {}) == "another kind of value"


def test_a_users_own_model_is_explained_without_a_library_s_words() -> None:
    class Inner(pydantic.BaseModel):
        exact: int

    class Own(pydantic.BaseModel):
        pairs: tuple[int, int]
        either: int | str
        by_name: dict[str, Inner]
        several: list[Inner] | None
        words: set[str]
        short: typing.Annotated[list[int], pydantic.Field(max_length=1)]

    wrong = {
        "pairs": (1, "x"), "either": [], "by_name": {"a": {"exact": "x"}, "b": 3}, "several": [{"exact": None}],
        "words": [[1]], "short": [1, 2],
    }  # fmt: skip
    with pytest.raises(pydantic.ValidationError) as caught:
        Own.model_validate(wrong)
    found = "\n".join(explain(Own, caught.value))
    assert "by_name.a.exact: expected an integer, got 'x'" in found
    assert "by_name.b: expected a table, got 3" in found
    assert "several.0.exact: expected an integer, got None" in found
    assert "short: expected a list with 1 value at most" in found
    assert [word for word in FOREIGN_WORDS if word in found] == []


@pytest.mark.parametrize(
    "value", [10**9999, "x" * 10**6, list(range(10**5)), [10**9999]], ids=["int", "str", "list", "in"]
)
def test_a_value_is_repeated_in_few_characters(value: object) -> None:
    assert len(quoted(value)) < 300
