"""What a release consists of agrees: one version, the changelog, the citation, the hooks, the oldest dependencies."""

from __future__ import annotations

import doctest
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import subtx_toy
from tests.reference import lower_bounds as bounds

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "subtx_toy/__init__.py"
    assert version("subtx-toy") == subtx_toy.__version__, "install the package again"


def test_the_citation_and_the_changelog_are_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, flags=re.MULTILINE) == [subtx_toy.__version__]
    released = re.findall(r"^## (?!Unreleased)\[?([\d.]+)\]?", CHANGELOG, flags=re.MULTILINE)
    assert released[0] == subtx_toy.__version__


def test_the_changelog_keeps_to_its_format() -> None:
    for section in re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]:
        headings = re.findall(r"^### (.*)$", section, flags=re.MULTILINE)
        assert headings, section[:20]
        assert set(headings) <= KINDS
        assert len(set(headings)) == len(headings), "each kind once"
        text = section.partition("\n### ")[0]
        assert "\n- " not in text, "every entry is under a heading"


def test_the_hooks_run_what_ci_runs() -> None:
    ran = re.findall(r"^make ([\w-]+)$", (ROOT / ".ci/run").read_text(encoding="utf-8"), flags=re.MULTILINE)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"entry: make ([\w-]+)", hooks)) == set(ran)


def test_every_dependency_has_a_lowest_version() -> None:
    assert doctest.testmod(bounds).failed == 0
    found = bounds.lower_bounds(bounds.PROJECT.read_text(encoding="utf-8"))
    assert {"torch", "numpy", "scipy", "pandas", "pytest"} <= set(found)
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    for name, lowest in found.items():
        tested = re.search(rf"^{name.replace('_', '-')}==([\d.]+)", pinned, flags=re.MULTILINE)
        assert tested is not None, name
        assert _numbers(tested[1]) >= _numbers(lowest), name


def test_a_dependency_without_a_lowest_version_is_found() -> None:
    with pytest.raises(ValueError, match="expected NAME>=VERSION, got 'numpy'"):
        bounds.lower_bounds('[project]\ndependencies = ["numpy"]\n[project.optional-dependencies]\n', extras=())


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(".") if part.isdigit()]


def test_no_committed_result_names_a_folder_of_the_machine_that_made_it() -> None:
    named = re.compile(r"[\"'=, ]/(?:tmp|home|root|work|Users|mnt)/")
    results = [path for path in (ROOT / "docs" / "results").rglob("*") if path.suffix in (".json", ".csv")]
    assert len(results) > 40
    assert [path.name for path in results if named.search(path.read_text(encoding="utf-8"))] == []
    assert named.search('"store": "/tmp/results.sqlite"')
