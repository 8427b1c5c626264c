"""The pages on sweeps, clusters and the store: their commands run or parse, and their numbers are those measured."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import click
import pytest

from subtx_toy import cli
from subtx_toy.store.schema import STORE_SCHEMA

DOCS = Path(__file__).parents[2] / "docs"


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def test_every_command_on_the_page_on_sweeps_runs_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers_here: None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUBTX_TOY_STORE", str(tmp_path / "results.sqlite"))
    printed = {}
    for line in "".join(_blocks("sweeps.md", "sh")).splitlines():
        command, _, target = line.partition(" > ")
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert cli.call(shlex.split(command)[1:]) == 0, line
        printed[line] = out.getvalue()
        if target:
            (tmp_path / target).write_text(out.getvalue())
    assert "12 trials, 0 of them done, 12 to run" in printed[_blocks("sweeps.md", "sh")[0].strip()]
    (tmp_path / "shown.toml").write_text(_blocks("sweeps.md", "toml")[0])
    with contextlib.redirect_stdout(io.StringIO()) as out:
        cli.call(["sweep", "shown.toml", "--dry-run", "--json"])
    document = json.loads(out.getvalue())
    assert (document["trials"], document["done"]) == (12, 12), "the plan shown is the plan that was run"
    (example,) = _blocks("sweeps.md", "python")
    pytest.importorskip("pandas", reason="an optional extra")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(example, "sweeps.md", "exec"), {})
    assert re.findall(r"(\d+) +(\d+) +(\d+)", out.getvalue()) != []


def test_the_second_day_runs_from_the_command_line_and_from_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers_here: None
) -> None:
    pytest.importorskip("pandas", reason="an optional extra")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUBTX_TOY_STORE", str(tmp_path / "of-yesterday.sqlite"))
    text = (DOCS / "second-day.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for language, block in re.findall(r"```(sh|python)\n(.*?)```", text, flags=re.DOTALL):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            if language == "python":
                exec(compile(block, "second-day.md", "exec"), names)
            for line in block.splitlines() if language == "sh" else ():
                if line.startswith("export "):
                    name, _, value = line.removeprefix("export ").partition("=")
                    monkeypatch.setenv(name, value.replace("$PWD", str(tmp_path)))
                    continue
                assert cli.call(shlex.split(line)[1:]) == 0, line
        if "--dry-run" in block:
            assert "10 of 30 are new: num_aux=30" in out.getvalue()
    written = {path.name for path in tmp_path.iterdir()}
    assert {"lines.png", "map.png", "settings.png", "done.png", "second-day.sqlite"} <= written
    assert "of-yesterday.sqlite" not in written


@pytest.mark.parametrize("page", ["clusters.md", "store.md"])
def test_every_command_on_the_other_pages_is_understood(page: str) -> None:
    for line in "".join(_blocks(page, "sh")).splitlines():
        group: click.Command = cli.cli
        words = shlex.split(line)[1:]
        while isinstance(group, click.Group):
            found = group.get_command(click.Context(group), words[0])
            assert found is not None, line
            group, words = found, words[1:]
        group.make_context(group.name, words)


def test_the_table_of_words_is_understood() -> None:
    from subtx_toy.sweep.axes import read_axis

    words = re.findall(r"^\| `([^`]+=[^`]+)` \|", (DOCS / "sweeps.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(words) == 7
    for word in words:
        read_axis(word)


def test_the_page_on_the_store_is_of_this_schema() -> None:
    assert f"schema {STORE_SCHEMA}" in (DOCS / "store.md").read_text(encoding="utf-8")


def test_the_table_of_how_a_store_grows_is_that_of_its_document() -> None:
    page = (DOCS / "store.md").read_text(encoding="utf-8")
    rows = json.loads((DOCS / "results" / "store.json").read_text(encoding="utf-8"))["rows"]
    assert [row["trials"] for row in rows] == [10**3, 10**4, 10**5, 10**6]
    for exponent, row in zip((3, 4, 5, 6), rows, strict=True):
        assert row["repeats"] >= 3
        cells = [f"10^{exponent}", f"{row['mib']:,.0f}"]
        for name in ("resume", "summary", "find"):
            seconds = row[f"{name}_seconds"]["median"]
            cells.append(f"{seconds:.{3 if seconds < 0.1 else 2 if seconds < 1 else 1}f}")
        cells += [f"{row['doctor_seconds']:.2f}", f"{row['written_per_second']:,.0f}"]
        assert f"| {' | '.join(cells)} |" in page


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in ("sweeps.md", "second-day.md", "clusters.md", "store.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (DOCS / page).read_text(encoding="utf-8")):
            assert target.startswith("http") or (DOCS / target).exists(), f"{page}: {target}"
