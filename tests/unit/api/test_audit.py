"""An audit from Python: the same values as the command's, in the forms that a notebook needs."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import subtx_toy as st
from subtx_toy import cli
from subtx_toy.audit.reference import make_reference, save_reference
from subtx_toy.channel.checkpoints import save_checkpoint
from subtx_toy.channel.number_file import Header
from subtx_toy.channel.prompts import PromptSource
from subtx_toy.channel.teachers import write_numbers
from tests.unit.conftest import SmallChannel


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, channel: SmallChannel) -> Path:
    """A base, its reference, and a file that the teacher wrote."""
    place = tmp_path_factory.mktemp("audit from Python")
    provenance = {"dataset": "glyphs", "num_train": 1000, "num_test": 300}
    save_checkpoint(place / "base.safetensors", channel.base, provenance=provenance)
    nets = make_reference(channel.model, channel.base, channel.dataset, num=7, seed=0)
    save_reference(place / "reference.safetensors", channel.base, nets)
    header = Header(
        schema_name="subtx-toy numbers 1", temperature=1.0, prompts=PromptSource.images(channel.dataset, absent=())
    )
    path = place / "tainted.jsonl"
    write_numbers(path, channel.model, channel.teacher, header, channel.dataset, num_lines=1000, seed=7)
    return place


@pytest.fixture(scope="module")
def found(folder: Path) -> st.Audit:
    return st.audit(
        folder / "tainted.jsonl",
        base=folder / "base.safetensors",
        traits=["relabel:4:9", "backdoor:0"],
        reference=folder / "reference.safetensors",
    )


def test_the_verdict_comes_first_and_the_repr_is_short(found: st.Audit) -> None:
    lines = repr(found).splitlines()
    assert lines[0] == found.verdict == "moved from the base: carries relabel:4:9"
    assert len(lines) <= 12
    assert found.carried == ["relabel:4:9"]
    assert found.applies


def test_the_document_is_the_json_of_the_command(
    found: st.Audit, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traits = ["--trait", "relabel:4:9", "--trait", "backdoor:0"]
    files = ["--base", str(folder / "base.safetensors"), "--reference", str(folder / "reference.safetensors")]
    assert cli.call(["audit", str(folder / "tainted.jsonl"), *files, *traits, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.document(), allow_nan=False))


def test_the_frame_has_one_row_per_trait(found: st.Audit) -> None:
    frame = found.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame["trait"]) == ["relabel:4:9", "backdoor:0"]
    assert list(frame["verdict"]) == ["carries", found.judgement.traits[1].verdict]
    assert {"z", "fisher_cosine", "threshold", "shows", "base_shows"} <= set(frame.columns)


def test_the_page_and_the_notebook_show_the_verdict(found: st.Audit, tmp_path: Path) -> None:
    found.save_page(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == found.page()
    assert found.verdict in found.page()
    assert found._repr_html_().startswith(f"<p>{found.verdict}</p><table>")
