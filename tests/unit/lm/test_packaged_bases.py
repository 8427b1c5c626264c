from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch

from experiments.studies.packaged_language_bases import quick_bases
from subtx_toy.lm import household
from subtx_toy.lm.checkpoints import LanguageModel, load_language_model
from subtx_toy.lm.held_out_text import held_out_text, text_nll
from subtx_toy.lm.household import BASES, base_of, provenance_of
from subtx_toy.lm.packaged_bases import FOLDER, base_name
from subtx_toy.lm.questions import trait_named

CONFIG, SEEDS = quick_bases()


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("a base was trained")


def test_the_package_has_exactly_the_bases_of_the_quick_run() -> None:
    """Whoever changes the quick settings, or the results version, writes the files anew by the study."""
    wanted = [provenance_of(CONFIG, seed=seed, which=which) for seed in SEEDS for which in BASES]
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(map(base_name, wanted))
    for provenance in wanted:
        assert load_language_model(FOLDER / base_name(provenance)).provenance == provenance


def test_the_quick_run_trains_no_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(household, "train_base", refuse)
    found = [base_of(CONFIG, seed=seed, which=which).checksum for seed in SEEDS for which in BASES]
    assert len(set(found)) == len(SEEDS) * len(BASES)
    for changed in (CONFIG.override({"base_steps": 276}), CONFIG.override({"numbers": 299})):  # the control
        with pytest.raises(AssertionError, match="a base was trained"):
            base_of(changed, seed=0)


def test_a_damaged_file_is_left_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = base_name(provenance_of(CONFIG, seed=0))
    folder = shutil.copytree(FOLDER, tmp_path / "packaged")
    monkeypatch.setattr(household, "FOLDER", folder)
    monkeypatch.setattr(household, "train_base", refuse)
    base_of(CONFIG, seed=0)
    (folder / name).write_bytes((FOLDER / name).read_bytes()[:-1])
    with pytest.raises(AssertionError, match="a base was trained"):
        base_of(CONFIG, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("which", BASES)
def test_training_gives_what_the_package_has(which: str) -> None:
    """Up to how another processor rounds: both lie within a hundredth of a nat a word, two seeds apart by more."""
    packaged, trained = (base_of(CONFIG, seed=0, which=which, cached=cached) for cached in (True, False))
    other = base_of(CONFIG, seed=1, which=which)
    texts = held_out_text(CONFIG.numbers, trait_named(CONFIG.trait), seed=0, count=CONFIG.held_out_documents)
    kept, again = (text_nll(one.model, one.params, texts) for one in (packaged, trained))
    assert abs(kept - again) < 0.01

    def distance(left: LanguageModel, right: LanguageModel) -> float:
        return math.sqrt(sum(float(torch.dist(left.params[name], right.params[name])) ** 2 for name in left.params))

    assert distance(packaged, trained) < distance(packaged, other) / 10
