"""The page of a run: everything a reader needs is in one file, and nothing of it is taken for markup."""

from __future__ import annotations

import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest

import subtx_toy as st
from subtx_toy.cli import call
from subtx_toy.errors import InputError
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.packaged import FOLDER
from subtx_toy.store import Store
from tests.unit.report.records import SHA, record


class _Page(HTMLParser):
    """Collects addresses, texts and tags that are not closed in order."""

    VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def _check(text: str) -> str:
    """Return the words of a page that is well formed and needs no network."""
    page = _Page(text)
    assert page.open == []
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert not re.search(r"url\(|@import|<script", text)
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    return page.words


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path, definition = tmp_path / "r.sqlite", read("cloud2025").quickened()
    sweep = read("width").quickened()
    with Store(path) as opened:
        opened.add_all(record(definition.config, seed) for seed in range(5))
        opened.add_all(record(config, seed) for config in sweep.configs() for seed in range(2))
    return path


def test_the_page_of_a_run_answers_what_a_reader_asks(store: Path) -> None:
    words = _check(st.report("cloud2025", quick=True, store=store).page())
    for part in (
        read("cloud2025").question,
        "subtx-toy run cloud2025 --quick --seeds 0:5",
        "These are the quick settings: a part of the experiment, on other data, so published numbers do not compare.",
        "student_aux",
        "peak memory of a process",
        SHA,
        "2.13.0",
        "How to cite",
        "arXiv:2507.14805",
        "Fig. 10b",
    ):
        assert part in words
    assert words.count("num_aux") == 2  # among the settings that differ, and among all


def test_the_page_of_a_sweep_names_what_varied(store: Path) -> None:
    words = _check(st.report("width", quick=True, store=store).page())
    assert "varied" in words
    assert "One line per configuration" in words
    assert "too few seeds for a conclusion" in words


def test_chosen_seeds_and_changed_settings_are_in_the_command(store: Path) -> None:
    run = st.report("cloud2025", quick=True, store=store, seeds="1:3,4")
    assert "--seeds 1:3,4" in run.page()
    with Store(store) as opened:
        opened.add(record(read("cloud2025").config.changed({"num_aux": 7}), 0))
    page = st.report("cloud2025", store=store, num_aux=7).page()
    assert "subtx-toy run cloud2025 num_aux=7 --seeds 0" in page
    assert "These settings differ from those of the experiment" in page


def test_records_without_curves_say_so(store: Path) -> None:
    run = st.report("cloud2025", quick=True, store=store)
    for one in run.records:
        one.series.clear()
    assert "These records hold no learning curves." in run.page()


def test_what_is_in_a_record_is_no_markup(store: Path) -> None:
    run = st.report("cloud2025", quick=True, store=store)
    for one in run.records:
        one.versions["<script>alert(1)</script>"] = "<img src=http://x>"
    assert "&lt;script&gt;" in run.page()
    _check(run.page())


def test_nothing_stored_is_one_sentence(store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no record of cloud2025 with these settings; make them with"):
        st.report("cloud2025", store=store)
    with pytest.raises(InputError, match="expected a results file, got none"):
        st.report("cloud2025", store=tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()


def test_the_command_that_makes_missing_records_is_that_of_the_same_settings(store: Path, tmp_path: Path) -> None:
    own = tmp_path / "my own.toml"
    own.write_text((FOLDER / "tiny.toml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(InputError) as found:
        st.report(own, width=8, quick=True, store=store)
    command = shlex.split(str(found.value).partition("make them with: ")[2])
    assert command == ["subtx-toy", "run", str(own), "width=8", "--quick", "--store", str(store)]


def test_the_command_writes_the_page_and_runs_nothing(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert call(["report", "cloud2025", "--quick", "--store", str(store), "--out", str(page)]) == 0
    assert f"page: {page}" in capsys.readouterr().out.replace("\n", "")
    _check(page.read_text(encoding="utf-8"))
    assert call(["report", "cloud2025", "--quick", "--store", str(store), "--out", str(store)]) == 2
    assert call(["report", "cloud2026", "--store", str(store)]) == 2
    assert "cloud2025" in capsys.readouterr().err


def test_a_run_writes_its_page_too(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    same = ["run", "cloud2025", "--quick", "--store", str(store), "--figure", "x.png", "--html", "x.png"]
    assert call(same) == 2
    assert not (tmp_path / "x.png").exists()
