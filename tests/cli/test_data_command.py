"""``subtx-toy data`` with a cache of its own; nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from subtx_toy.api.doctor import examine
from subtx_toy.cli.data import data
from subtx_toy.errors import DataError


@pytest.fixture(autouse=True)
def cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUBTX_TOY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SUBTX_TOY_DATA", raising=False)
    return tmp_path / "cache"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(data, arguments, catch_exceptions=False)


@pytest.mark.parametrize("command", [[], ["list"], ["fetch"], ["path"]])
def test_every_help_page_shows_an_example(command: list[str]) -> None:
    assert "subtx-toy data" in run(*command, "--help").stdout


def test_list_names_every_data_set_and_its_state() -> None:
    printed = run("list")
    assert "glyphs: 60000 training and 10000 test images, not cached" in printed.stdout
    assert "mnist: 60000 training and 10000 test images, not cached" in printed.stdout
    assert "fashion: " in printed.stdout
    assert printed.stderr == ""


def test_fetch_prints_the_folder_and_speaks_on_stderr(cache_dir: Path) -> None:
    printed = run("fetch", "glyphs", "--num-train", "30", "--num-test", "20")
    folder = Path(printed.stdout.strip())
    assert folder.parent == cache_dir / "glyphs"
    assert (folder / "train-images-idx3-ubyte").stat().st_size == 16 + 30 * 784
    assert printed.stderr.splitlines() == [
        "glyphs: drawing 30 training and 20 test images from matplotlib's fonts",
        "glyphs: 50 images",
    ]
    assert run("path", "glyphs", "--num-train", "30", "--num-test", "20").stdout.strip() == str(folder)


def test_list_json_is_one_document_with_checksums() -> None:
    run("fetch", "glyphs", "--num-train", "30", "--num-test", "20")
    printed = run("list", "--json")
    rows = json.loads(printed.stdout)
    assert {row["name"] for row in rows} == {"glyphs", "mnist", "fashion"}
    (cached,) = [row for row in rows if row["state"] == "cached"]
    assert (cached["num_train"], cached["num_test"], len(cached["sha256"])) == (30, 20, 64)
    assert printed.stderr == ""


def test_list_groups_the_sizes_of_drawn_digits(tmp_path: Path) -> None:
    for size in (30, 40, 50):
        run("fetch", "glyphs", "--num-train", str(size), "--num-test", "20")
    printed = run("list").stdout
    assert printed.count("glyphs: ") == 1
    assert "cached with fewer or more images: 30 and 20, 40 and 20, 50 and 20\n" in printed
    found = [one for one in examine(tmp_path / "none.sqlite") if one.name == "data glyphs"]
    assert [one.state for one in found] == ["note", "fine"]
    assert found[1].text.startswith("3 sizes other than the full one cached in ")
    (damaged,) = (tmp_path / "cache" / "glyphs").glob("*30*/train-labels*")
    damaged.write_bytes(b"")
    assert "glyphs: 30 training and 20 test images, damaged" in run("list").stdout
    assert "fault" in {one.state for one in examine(tmp_path / "none.sqlite") if one.name == "data glyphs"}


def test_path_of_what_is_not_cached_is_an_error() -> None:
    with pytest.raises(DataError, match="run `subtx-toy data fetch mnist` first"):
        run("path", "mnist")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "glyphs", "gliphs"], "expected one of glyphs, mnist, fashion, got 'gliphs'; did you mean 'glyphs'"),
        (["fetch", "mnist", "--num-train", "5"], "--num-train: expected glyphs among the names"),
        (["fetch", "mnist", "--data-dir", "/nonexistent"], "data_dir: expected a folder with IDX files"),
        (["fetch", "glyphs", "--num-test", "0"], "num_test: expected an integer from 1"),
    ],
)
def test_bad_input_is_refused_before_any_work(arguments: list[str], message: str, cache_dir: Path) -> None:
    with pytest.raises(DataError, match=message):
        run(*arguments)
    assert not cache_dir.exists()


def test_fetch_needs_a_name() -> None:
    assert run("fetch").exit_code == 2
