"""Every block of the page on verifying one's own model runs, in order, and prints what the page shows."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import pytest
import torch

import subtx_toy as st
from subtx_toy import cli
from subtx_toy.claims.vocabulary import hypotheses
from subtx_toy.claims.vocabulary.claim import Hypothesis
from subtx_toy.cli.verify import verify
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.closed_form import ClosedFormEps
from subtx_toy.theory.curvature import DENSE_LIMIT
from tests.reference.annotations import unchecked

PAGE = Path(__file__).parents[2] / "docs" / "verify-your-own-model.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)

# beartype, which checks the annotations of the package under pytest, looks at a random item of each sequence.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not use the .random. module:hypothesis.errors.HypothesisDeprecationWarning"
)


@unchecked()
def test_python_blocks_print_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {"__name__": "page"}
    num_shown = 0
    for (language, code), (next_language, shown) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if language == "python":
            exec(compile(code, PAGE.name, "exec"), namespace)
            printed = capsys.readouterr().out
            assert printed == (shown if next_language == "text" else "")
            num_shown += bool(printed)
    assert num_shown == 10


@unchecked()
def test_a_hypothesis_reaches_the_module_and_runs_any_model_as_the_page_says() -> None:
    namespace: dict[str, object] = {"__name__": "page"}
    exec(compile(next(code for language, code in BLOCKS if language == "python"), PAGE.name, "exec"), namespace)
    factory, reader = namespace["factory"], namespace["Reader"]
    assert callable(factory)
    assert isinstance(reader, type)
    mine, drawn = factory(), ProblemSpec(hidden=(3,)).build()
    assert isinstance(mine.model.module, reader)
    assert not hasattr(drawn.model, "module")
    for problem in (mine, drawn):
        assert problem.outputs(problem.base_params, problem.inputs).ndim == 2
        assert {type(value) for value in problem.base_params.values()} == {torch.Tensor}


COMMANDS = [line for language, code in BLOCKS if language == "sh" for line in code.splitlines()]


@unchecked()
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run_on_the_file_that_the_page_shows(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [code for language, code in BLOCKS if language == "python" and code.startswith("# mine.py")]
    (tmp_path / "mine.py").write_text("\n".join(parts), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code = cli.call(shlex.split(command)[1:])
    out, err = capsys.readouterr()
    assert code == 0, out + err
    assert re.search(r"^my bound .* holds$", out, flags=re.MULTILINE)


def test_the_table_names_every_assertion() -> None:
    from subtx_toy import testing

    listed = set(re.findall(r"^\| `(assert_\w+)`", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert listed == {name for name in testing.__all__ if name.startswith("assert_")}


def test_the_columns_of_the_table_are_explained_below_it_in_the_help_and_on_the_page() -> None:
    from subtx_toy.api.verification import EXPLAINED

    page, help_text = " ".join(PAGE.read_text(encoding="utf-8").split()), " ".join((verify.help or "").split())
    for name in ("worst margin", "predicted/observed"):
        assert f"{name}: " in EXPLAINED
        assert f"*{name}* " in page
        assert name in help_text.lower()
    found = st.verify(claims="C1", instances=1, controls=False)
    assert EXPLAINED[:40] in found.table


INTERNAL = {
    "observing", "settings", "stream", "prepare", "snippet", "many_steps", "out_of_range", "update_out_of_range",
    "bends_everywhere", "narrow", "narrow_trait",
}  # fmt: skip
"""What of the evidence is no quantity for a bound."""


def test_the_table_of_the_evidence_names_all_that_it_offers_and_nothing_else() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("| of the evidence |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-zA-Z_]\w*)", table)) - {"p", "s", "n", "m", "k"}
    offered = {name for name in dir(st.Evidence) if not name.startswith("_")} - INTERNAL
    assert named == offered
    for of, attributes in ((AlignmentRay, re.findall(r"`ray\.(\w+)", table)), (ClosedFormEps, ["eps"])):
        known = {field.name for field in dataclasses.fields(of)} | set(dir(of))
        assert set(attributes) <= known
    assert f"{DENSE_LIMIT:,} parameters" in table
    constants = {name for name, value in vars(hypotheses).items() if isinstance(value, Hypothesis)}
    assert {name for name in constants if f"`{name}`" not in text} == set()


def test_quantities_have_the_shapes_that_the_page_gives_them() -> None:
    problem = ProblemSpec(hidden=(3,), num_inputs=4, num_aux=2, seed=1).build()
    one, p = st.Evidence(problem), sum(value.numel() for value in problem.base_params.values())
    for name in ("base", "dT", "G_dT"):
        assert getattr(one, name).shape == (p,)
    assert one.update(0.1).shape == (p,)
    assert one.updates([0.1, 0.2]).shape == (2, p)
    assert one.ray.per_input(0.1).shape == (4,)
    assert one.ray.v.shape == one.ray.outputs.shape == (4, 3)
    assert len({part.shape for part in one.ggn_spectrum}) == 1
    for name in ("V", "G_dT_norm", "dT_norm", "base_norm", "unit", "top_eigenvalue", "trait_before"):
        assert isinstance(getattr(one, name), float)


DOCS = PAGE.parent
PAGES = [DOCS.parent / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "tutorials").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_st_is_the_package_on_every_page_that_uses_it(page: Path) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL))
    bound = re.findall(r"\b(\w+(?:\.\w+)*) as st\b", code)
    assert set(bound) <= {"subtx_toy"}
    if re.search(r"(?<![.\w])st\.", code):
        assert "import subtx_toy as st" in code.partition("st.")[0]
