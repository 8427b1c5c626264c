"""``subtx-toy list``, and where ``run`` sends those who do not know a name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from subtx_toy import cli
from subtx_toy.cli.experiments import complete_experiment
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.packaged import experiments, names


def test_the_list_has_every_experiment_with_its_question_minutes_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["list", "--json"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["experiments"]}
    assert set(found) == set(names())
    for name, one in found.items():
        definition = read(name)
        published = getattr(definition, "published", None)
        assert one["question"] == definition.question
        assert one["minutes"] == definition.minutes > 0  # type: ignore[operator]
        assert one["source"] == (published and published.source)


def test_the_list_for_people_names_every_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["list"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{len(names())} experiments")
    lines = out.splitlines()
    assert lines[1].split() == ["name", "minutes", "question", "[source]"], "as experiments/README.md says"
    minutes = [float(line.split()[1]) for line in lines[2:]]
    assert minutes == sorted(minutes)
    page = " ".join((Path(__file__).parents[2] / "experiments/README.md").read_text(encoding="utf-8").split())
    assert "`subtx-toy list` prints name, minutes, question and source of each, the shortest first." in page
    assert set(names()) <= set(out.split())


def test_names_are_completed() -> None:
    found = [item.value for item in complete_experiment(None, None, "init-")]  # type: ignore[arg-type]
    assert found == [one.name for one in experiments() if one.name.startswith("init-")]
    assert [item.type for item in complete_experiment(None, None, "./mine")] == ["file"]  # type: ignore[arg-type]


def test_settings_are_listed_without_an_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["run", "--settings"]) == 0
    assert "num_aux" in capsys.readouterr().out


def test_settings_are_listed_with_the_values_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["run", "tiny", "--settings", "width=128"]) == 0
    assert re.search(r"^width +128 ", capsys.readouterr().out, re.MULTILINE)
    assert cli.call(["run", "cloud2025", "--settings"]) == 0
    whole = capsys.readouterr().out
    assert cli.call(["run", "cloud2025", "--settings", "--quick"]) == 0
    assert re.search(r"^dataset +glyphs ", capsys.readouterr().out, re.MULTILINE)
    assert re.search(r"^dataset +mnist ", whole, re.MULTILINE)
    for wrong in ("widht=128", "width=0", "width"):
        assert cli.call(["run", "tiny", "--settings", wrong]) == 2
        assert wrong.partition("=")[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run"], "EXPERIMENT is missing; `subtx-toy list` shows the packaged ones"),
        (["run", "tiny", "width=16,32"], "for several, use `subtx-toy sweep tiny width=16,32`"),
    ],
)
def test_the_way_on_is_named(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(words) == 2
    assert sentence in capsys.readouterr().err
