"""The page on predictions shows what the command prints, and says of which settings its ranks are."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import pytest

from subtx_toy import cli
from subtx_toy.results.committed_ranks import rank_table
from subtx_toy.settings.experiment_file import read

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "predict.md").read_text(encoding="utf-8")


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
    known = rank_table().values
    assert (known["dataset"], known["num_train"], known["num_inputs"]) == (("mnist",), (4000,), (4000,))
    ends = [min(known["width"]), max(known["width"]), min(known["student_epochs"]), max(known["student_epochs"])]
    assert (min(known["teacher_epochs"]), max(known["teacher_epochs"])) == tuple(ends[2:])
    assert "widths of {} to {} and {} to {} epochs".format(*ends) in PAGE
    assert "4,000 images of MNIST, 4,000 inputs" in PAGE
    assert not rank_table().outside(read("predictors").config.model_dump() | {"num_aux": 10})


def test_the_cost_of_the_runs_behind_the_table_is_what_they_took() -> None:
    with (DOCS / "results" / "many-steps" / "predictors.csv").open(encoding="utf-8", newline="") as file:
        seconds = [float(row["cpu_seconds"]) for row in csv.DictReader(file)]
    assert f"The runs behind the table took {f'{sum(seconds) / len(seconds):.1f}'.lstrip('0')} s a" in PAGE
