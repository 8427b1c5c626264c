"""The page on predictions shows what the command prints, and says of which settings its ranks are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from subtx_toy import cli
from subtx_toy.settings.experiment_file import read

PAGE = (Path(__file__).parents[2] / "docs" / "predict.md").read_text(encoding="utf-8")


def test_the_output_shown_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    (command, shown) = re.findall(r"```sh\n([^`]*tiny[^`]*)```\n\n```text\n(.*?)```", PAGE, flags=re.DOTALL)[0]
    assert cli.call(shlex.split(command)[1:]) == 0
    printed = capsys.readouterr().out
    number = r"\d+(?:\.\d+)?"
    words = [re.sub(rf" *{number}", " #", text) for text in (printed, shown)]
    assert words[0] == words[1]
    found, expected = (list(map(float, re.findall(number, text))) for text in (printed, shown))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):  # shares in percent, of 66 settings, move by whole settings
        assert one == pytest.approx(other, rel=0.05, abs=3 if other > 1 else 0), "another processor rounds"


def test_the_settings_that_a_value_is_ranked_among_are_of_the_size_that_the_page_names() -> None:
    assert {config.num_train for config in read("predictors").configs()} == {4000}
    assert "Those settings were trained on 4,000 images of MNIST." in PAGE
