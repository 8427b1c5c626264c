"""Help, tables and notes name things in one way, and say where a short name is explained."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from subtx_toy import cli
from subtx_toy.api.audit import COLUMNS, SHOWN
from subtx_toy.api.doctor import examine
from subtx_toy.claims.registry import CLAIMS
from subtx_toy.results import presentation
from tests.cli.test_exit_codes import COMMANDS

_SETTINGS = {"[SETTING=VALUE]...", "[SETTING=VALUES]..."}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_setting_has_one_name_in_every_help(name: str) -> None:
    command = COMMANDS[name]
    usage = command.collect_usage_pieces(click.Context(command, info_name=name))
    assert {piece for piece in usage if "=" in piece} <= _SETTINGS
    options = [one.help or "" for one in command.params if isinstance(one, click.Option)]
    assert not re.search(r"\bKEY=|\bkey=", " ".join([command.help or "", *options]))


def test_the_help_of_sweep_explains_what_until_is_given() -> None:
    text = " ".join((COMMANDS["subtx-toy sweep"].help or "").split())
    assert "ci95 is half of the width of the 95 % interval of a mean, METRIC.ci95 that of another metric" in text


def test_the_table_of_claims_says_where_they_are_explained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.call(["verify", "--claims", "C1", "--instances", "2"]) == 0
    assert "what each claim says, on which hypotheses and by whom: subtx-toy verify --list" in capsys.readouterr().out
    monkeypatch.setattr(presentation, "terminal_width", lambda: 80)
    assert cli.call(["verify", "--list"]) == 0
    listed = capsys.readouterr().out
    assert [line.split(":")[0] for line in listed.splitlines() if line.startswith("C")] == list(CLAIMS)
    assert max(map(len, listed.splitlines())) <= 80


def test_the_page_of_the_audit_explains_every_column_of_its_table() -> None:
    page = (Path(__file__).parents[2] / "docs/audit.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"\n| {name} |" not in page] == []
    assert SHOWN.partition(":")[0] in COLUMNS


def test_the_verdicts_of_an_audit_have_the_same_words_in_its_help_and_on_its_page() -> None:
    page = (Path(__file__).parents[2] / "docs/audit.md").read_text(encoding="utf-8")
    words = " ".join((COMMANDS["subtx-toy audit"].help or "").split())
    listed = words.partition("Verdicts: ")[2].partition(".")[0].replace("TRAIT", "…").split("; ")
    assert len(listed) == 4
    assert [verdict for verdict in listed if f"\n| {verdict} |" not in page] == []


def test_the_doctor_says_which_glyphs_are_not_cached(tmp_path: Path) -> None:
    found = [one.text for one in examine(tmp_path / "none.sqlite") if (one.name, one.state) == ("data glyphs", "note")]
    assert [text.partition(";")[0] for text in found] == ["not cached at its full size"]
