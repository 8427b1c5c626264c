"""The page on certificates does what it says: its network in Python is certified, and proved again."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

import subtx_toy as st
from subtx_toy.problem.spec import ProblemSpec

PACKAGED = {path.stem: path for path in (Path(st.__file__).parent / "certify" / "problems").glob("*.toml")}
PAGE = (Path(__file__).parents[2] / "docs" / "certificates.md").read_text(encoding="utf-8")


def test_the_network_of_the_page_is_certified_and_proved_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "docs/certificates.md", "exec"), {})
    assert (tmp_path / "network.cert").exists()


def test_the_drawn_problem_of_the_page_is_certified(tmp_path: Path) -> None:
    block = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)[0]
    (tmp_path / "mine.toml").write_text(block, encoding="utf-8")
    found = st.certify(tmp_path / "mine.toml", "alignment", eps_max=0.5)
    assert found.eps_certified == 0.5


def test_the_targets_are_described_as_they_are() -> None:
    for name, path in PACKAGED.items():
        spec = ProblemSpec(**tomllib.loads(path.read_text(encoding="utf-8")))
        (row,) = re.findall(rf"^\| `{name}` \|.*$", PAGE, flags=re.MULTILINE)
        sizes = "-".join(map(str, (spec.input_dim, *spec.hidden, spec.num_classes + spec.num_aux)))
        if name == "paper-net":
            other = ProblemSpec(**tomllib.loads(PACKAGED["paper-net-tanh"].read_text(encoding="utf-8")))
            assert spec == replace(other, activation="relu")
            assert "the same with ReLU" in row
            continue
        assert f"{spec.activation}, {sizes} |" in row
        assert f"{spec.num_classes} class logits on {spec.num_trait_inputs} " in row
        assert f"{spec.num_aux} auxiliary logits by KL, on {spec.num_inputs} " in row
        assert (spec.trait, spec.loss, spec.distilled_logits) == ("cross_entropy", "kl", "aux")
        assert ("drawn digits" in row) == (spec.trait_inputs == "glyphs")
