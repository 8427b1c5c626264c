"""A word SETTING=VALUE that names an argument of the command's function is no setting, and no internal error."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from subtx_toy import cli
from subtx_toy.api import language
from subtx_toy.api.predict import predict
from subtx_toy.api.report import report

COMMANDS: dict[tuple[str, ...], Callable[..., Any]] = {
    ("predict", "tiny"): predict,
    ("report", "tiny"): report,
    ("lm", "base", "--out", "o"): language.base,
    ("lm", "teach", "--out", "o", "--base", "b"): language.teach,
    ("lm", "write", "--out", "o", "--model", "m"): language.write,
    ("lm", "train", "f", "--out", "o", "--base", "b"): language.train,
}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_argument_of_the_function_is_refused_as_a_setting(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = inspect.signature(COMMANDS[words]).parameters.values()
    names = [one.name for one in parameters if one.kind is not one.VAR_KEYWORD]
    assert len(names) >= 3
    assert cli.call([*words, *(f"{name}=1" for name in names)]) == cli.BAD_INPUT
    told = capsys.readouterr().err
    assert all(f"{name}: unknown key" in told for name in names)
    assert "internal error" not in told


def test_the_option_of_that_name_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["predict", "tiny", "seeds=0:3", "quick=true", "progress=1"]) == cli.BAD_INPUT
    told = capsys.readouterr().err
    assert "seeds: unknown key; did you mean --seeds?" in told
    assert "quick: unknown key; did you mean --quick?" in told
    assert "progress: unknown key\n" in told


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["run", "tiny", "seeds=3"], "seeds"),
        (["run", "tiny", "workers=3", "width=4"], "workers"),
        (["sweep", "tiny", "seeds=0:3"], "seeds"),
        (["sweep", "tiny", "width=4,8", "workers=2"], "workers"),
        (["results", "summary", "tiny", "seeds=0:3"], "seeds"),
    ],
    ids=str,
)  # fmt: skip
def test_run_sweep_and_results_suggest_it_too(
    words: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.call(words) == cli.BAD_INPUT
    assert f"{option}: unknown key; did you mean --{option}?" in capsys.readouterr().err


def test_no_option_is_suggested_for_another_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["run", "tiny", "widht=3"]) == cli.BAD_INPUT
    assert "did you mean 'width'?" in capsys.readouterr().err
    assert cli.call(["run", "tiny", "nonsense=3"]) == cli.BAD_INPUT
    assert capsys.readouterr().err.endswith("nonsense: unknown key\n")
