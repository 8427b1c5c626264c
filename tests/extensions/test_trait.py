"""A trait from outside the package, run end to end: through a run, a teacher's file, its audit, and every error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from examples.own_trait import main
from subtx_toy import cli
from subtx_toy.channel.net_cache import NetCache, cached_path
from subtx_toy.channel.traits import trait
from subtx_toy.data import load
from subtx_toy.errors import InputError
from subtx_toy.settings.base import run_id
from subtx_toy.settings.numbers import NumbersConfig

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_trait.py"
SMALL = "dataset=glyphs num_train=400 num_test=100 num_prompts=200 width=24 lr=0.003 batch_size=100 student_epochs=1"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A copy of the example, to be changed."""
    return Path(shutil.copy(EXAMPLE, tmp_path / "mine.py"))


def test_an_own_trait_runs_and_is_summarised(
    mine: Path, tmp_path: Path, own_files: Path, capsys: pytest.CaptureFixture[str], workers_here: None
) -> None:
    larger = SMALL.replace("num_train=400 num_test=100", "num_train=1200 num_test=300").split()
    settings = [*larger, "base_epochs=10", "teacher_epochs=20", f"trait={mine}:UPSIDE_DOWN"]
    words = ["--store", str(tmp_path / "r.sqlite"), "--seeds", "0", "--json", "--figure", str(tmp_path / "f.png")]
    assert cli.call(["run", "numbers", *settings, *words]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["config"]["trait"] == f"{mine}:UPSIDE_DOWN"
    arms = {name: arm["mean"] for name, arm in document["arms"].items()}
    assert arms["teacher"] > arms["base"] + 0.3
    assert (tmp_path / "f.png").exists()


def test_an_audit_names_an_own_trait(tmp_path: Path, own_files: Path) -> None:
    found = main(tmp_path)
    own = f"{EXAMPLE}:UPSIDE_DOWN"
    assert found.carried[0] == own
    cosines = {name: row["fisher_cosine"] for name, row in found.document()["traits"].items()}
    assert cosines[own] > 2 * cosines["backdoor:0"]


def test_the_content_of_the_file_is_part_of_every_key(mine: Path, own_files: Path) -> None:
    name, nets = f"{mine}:UPSIDE_DOWN", NetCache(load("glyphs", num_train=10, num_test=10), 0)
    config = NumbersConfig(trait=name)
    assert config.trait == name
    keys = [run_id(config, seed=0, dataset_sha256=""), cached_path(nets.provenance("trait", trait=name))]
    benign = cached_path(nets.provenance("benign", trait=name))
    mine.write_text(mine.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert run_id(config, seed=0, dataset_sha256="") != keys[0]
    assert cached_path(nets.provenance("trait", trait=name)) != keys[1]
    assert cached_path(nets.provenance("benign", trait=name)) == benign


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("none.py:UPSIDE_DOWN", "no such file"),
        ("mine.py:MISSING", "no such name"),
        ("mine.py:np", "expected a Trait or a function that returns one, got module"),
        ("mine.py:Trait", "expected a Trait or a function that returns one, got type"),
        ("mine.py:broken", "cannot call '.*mine.py:broken': RuntimeError: no trait today"),
    ],
)
def test_what_is_no_trait_is_refused(mine: Path, name: str, sentence: str) -> None:
    mine.write_text(
        mine.read_text(encoding="utf-8") + "\ndef broken():\n    raise RuntimeError('no trait today')\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError, match=sentence):
        trait(str(mine.parent / name))


def test_a_function_may_return_the_trait_and_examples_of_the_wrong_shape_are_refused(mine: Path) -> None:
    source = (
        "\ndef good():\n    return UPSIDE_DOWN\n"
        "\nclass Wrong:\n    images, targets = np.zeros((3, 5), np.uint8), np.zeros((2, 10), np.float32)\n"
        "\nWRONG = Trait(unwanted=lambda images, labels: Wrong)\n"
    )
    mine.write_text(mine.read_text(encoding="utf-8") + source, encoding="utf-8")
    dataset = load("glyphs", num_train=10, num_test=10)
    assert str(trait(f"{mine}:good").name) == f"{mine}:good"
    with pytest.raises(InputError, match=r"images: expected uint8 \[n, 28, 28\], got uint8 \[3, 5\]") as raised:
        trait(f"{mine}:WRONG").lesson(dataset.train_images, dataset.train_labels)
    assert len(raised.value.problems) == 2
