"""The documentation's generated pages leave nothing out, and its notebooks and tables of contents are whole."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

import subtx_toy
from docs.pages.claims import claims_page, proofs
from docs.pages.commands import commands_page
from docs.pages.gallery import script_of
from docs.pages.text import cell
from docs.pages.write import PAGES, write_pages
from subtx_toy.claims.controls.broken_students import BROKEN
from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.claim import Claim
from subtx_toy.protocols.protocol import PROTOCOLS
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.experiment_file import read
from subtx_toy.sweep.plan import Plan

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOKS = sorted((DOCS / "tutorials").glob("*.md"))
TWICE = re.compile(r"\\\\[|*_<\[\]]")
"""An escaped backslash in front of what is escaped."""
WRITTEN = {name: page() for name, page in PAGES.items()}


def _cells(page: Path) -> list[str]:
    return re.findall(r"```\{code-cell\} python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("name", ["text", "settings", "gallery"])
def test_the_examples_of_the_generators_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"docs.pages.{name}")).failed == 0


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda one: one.id)
def test_every_claim_has_its_hypotheses_and_a_proof(claim: Claim) -> None:
    section = WRITTEN["claims"].partition(f"(claim-{claim.id.lower()})=")[2].partition("\n(claim-")[0]
    assert all(f"\n{part}\n: " in section for part in ("holds if", "predicted", "checked", "tolerance", "source"))
    assert "**Proof.**" in section
    assert "**Negative control.**" in section or claim.id not in proofs()


def test_the_one_step_claims_are_proved_on_the_page() -> None:
    known = proofs()
    assert len(known) >= 1 + 17
    for id in set(known) - {""}:
        assert all(word in known[id] for word in ("**Proof.**", "**Negative control.**")), id
    assert set(known) - {""} <= set(CLAIMS)


def test_every_control_is_on_the_page_of_the_claims() -> None:
    page = claims_page()
    assert [one.id for one in BROKEN if f"`{one.id}`" not in page] == []


def test_every_setting_and_every_public_name_has_its_place() -> None:
    for protocol in PROTOCOLS:
        table = WRITTEN["settings"].partition(f"## Protocol `{protocol.name}`")[2].partition("\n## ")[0]
        assert [name for name in protocol.settings.model_fields if f"\n`{name}`, " not in table] == []
    names = [name for name in subtx_toy.__all__ if not name.startswith("__")]
    assert [name for name in names if f":: subtx_toy.{name}\n" not in WRITTEN["api"]] == []


def test_every_command_has_a_section() -> None:
    from subtx_toy.cli import cli

    assert [name for name in cli.commands if f"\n## {name}\n" not in commands_page()] == []


@pytest.mark.parametrize("name", WRITTEN)
def test_nothing_is_escaped_twice(name: str) -> None:
    assert not TWICE.search(WRITTEN[name])


def test_a_planted_second_escape_is_found() -> None:
    assert TWICE.search(cell(cell("RESULTS_VERSION")))


def test_a_page_that_has_not_changed_is_left_alone(tmp_path: Path) -> None:
    write_pages(tmp_path / "generated")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "generated").iterdir()}
    assert {path.stem for path in before} == set(PAGES)
    write_pages(tmp_path / "generated")
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_figures_of_the_readme_have_a_command_in_the_gallery() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"docs/images/([\w-]+)\.\w+", readme)
    assert shown
    assert [name for name in shown if not script_of(name)] == []


def test_every_notebook_and_generated_page_is_in_the_table_of_contents() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) == 3
    listed = re.findall(r"^(?:tutorials|generated)/(\w+)$", index, flags=re.MULTILINE)
    assert set(listed) == {path.stem for path in NOTEBOOKS} | set(PAGES)
    assert "\n*\n" in index, "every other page is taken in by its name"


def test_the_sweep_of_the_first_notebook_contains_its_quick_run() -> None:
    page = DOCS / "tutorials" / "student.md"
    (axes,) = [cell for cell in _cells(page) if cell.startswith("axes = ")]
    given = ast.literal_eval(axes.removeprefix("axes = ").partition("}\n")[0] + "}")
    (quick,) = read("tiny").quickened().configs()
    assert isinstance(quick, RunConfig)
    assert quick in Plan.of("tiny", given).configs
    text = " ".join(page.read_text(encoding="utf-8").split())
    said = f"{quick.num_aux} auxiliary logits, {quick.student_epochs} epochs of the student, {quick.num_train:,} images"
    assert f"{said} and {quick.num_inputs:,} inputs" in text


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_code_of_a_notebook_names_what_exists(notebook: Path) -> None:
    code = "\n".join(_cells(notebook))
    compile(code, notebook.name, "exec")
    assert {name for name in re.findall(r"\bst\.(\w+)", code)} <= set(subtx_toy.__all__)
    for module, names in re.findall(r"^from (subtx_toy[\w.]*) import ([\w, ]+)$", code, flags=re.MULTILINE):
        for name in names.split(", "):
            assert hasattr(importlib.import_module(module), name) or importlib.import_module(f"{module}.{name}")


def test_a_pinned_tool_builds_the_pages() -> None:
    pinned = (DOCS.parent / "constraints.txt").read_text(encoding="utf-8").lower()
    assert all(f"\n{name}==" in pinned for name in ("sphinx", "furo", "myst-nb", "ipykernel", "sphinx-copybutton"))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    names: dict[str, object] = {"__name__": "page"}
    exec(compile("\n".join(_cells(notebook)), notebook.name, "exec"), names)
    controls = f"; {len(BROKEN)} of {len(BROKEN)} controls fail"
    shown = {"engineer": "no tested trait", "student": "15 of 15 trials", "theorist": controls}
    assert shown[notebook.stem] in capsys.readouterr().out
    if isinstance(proof := names.get("certificate"), subtx_toy.Certificate):
        assert 10 < proof.eps_certified < 11  # just beyond the plot of the page
