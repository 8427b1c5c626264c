"""The packaged base and its benign fine-tunes: used as they are, and not used when anything differs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.studies import packaged_base as recipe
from subtx_toy.audit import reference, usual_reference
from subtx_toy.audit.band import NUMBERS_FALSE_ALARM_LEVEL, cosine_band
from subtx_toy.audit.examination import scorer_of
from subtx_toy.audit.questions import questions
from subtx_toy.audit.reference import make_reference, split_reference
from subtx_toy.audit.reference_values import measure_reference
from subtx_toy.audit.usual_reference import NUM_PACKAGED, packaged_reference
from subtx_toy.channel.checkpoints import Checkpoint
from subtx_toy.channel.number_file import Header
from subtx_toy.channel.packaged_base import FOLDER, PACKAGED, base_file, load_base
from subtx_toy.channel.prompts import PromptSource, prompt_inputs
from subtx_toy.channel.teachers import train_base
from subtx_toy.data import Dataset, load
from subtx_toy.errors import InputError
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params, difference, norm
from subtx_toy.tolerances import PACKAGED_BOUND, PACKAGED_MOVE

MAX_BYTES = 3_000_000
"""Of all that is packaged."""


def _blank(name: str = "glyphs", num_train: int = recipe.IMAGES[0]) -> Dataset:
    """Return a data set of the right name and size without drawing it."""

    def zeros(*shape: int) -> np.ndarray:
        return np.broadcast_to(np.uint8(0), shape)

    num_test = recipe.IMAGES[1]
    arrays = zeros(num_train, 28, 28), zeros(num_train), zeros(num_test, 28, 28), zeros(num_test)
    return Dataset(name, *arrays, sha256="0" * 64)


def test_the_package_holds_thirty_fine_tunes_of_its_base() -> None:
    base = load_base(PACKAGED)
    found = packaged_reference(base, _blank(), NUM_PACKAGED)
    assert found.source == "packaged"
    assert len(found.nets) == NUM_PACKAGED + NUM_PACKAGED // 2
    lengths = [float(norm(difference(net, base.params))) for net in found.nets]
    assert min(lengths) > 0.1
    assert len(set(lengths)) == len(lengths)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MAX_BYTES


def _other_base(base: Checkpoint, _monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Checkpoint:
    params = {name: value.clone() for name, value in base.params.items()}
    params["layers.0.weight"][3, 5] += 1e-4
    return Checkpoint(base.model, params, base.provenance)


def _new_version(base: Checkpoint, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Checkpoint:
    monkeypatch.setattr(reference, "ENSEMBLE_VERSION", reference.ENSEMBLE_VERSION + 1)
    return base


def _tampered(base: Checkpoint, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Checkpoint:
    content = bytearray(usual_reference.PACKAGED_FILE.read_bytes())
    content[-1000] ^= 1
    (folder / "tampered.safetensors").write_bytes(content)
    monkeypatch.setattr(usual_reference, "PACKAGED_FILE", folder / "tampered.safetensors")
    return base


def _missing(base: Checkpoint, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Checkpoint:
    monkeypatch.setattr(usual_reference, "PACKAGED_FILE", folder / "none.safetensors")
    return base


Planted = Callable[[Checkpoint, pytest.MonkeyPatch, Path], Checkpoint]


@pytest.mark.parametrize(
    ("plant", "sentence"),
    [
        (_other_base, "expected a reference ensemble of this base"),
        (_new_version, "ensemble: expected"),
        (_tampered, "expected the checksum"),
        (_missing, "no such file"),
    ],
)
def test_whatever_differs_is_noticed_and_other_fine_tunes_are_made(
    plant: Planted, sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = plant(load_base(PACKAGED), monkeypatch, tmp_path)
    _assert_made(base, _blank(), NUM_PACKAGED, sentence, monkeypatch)


def test_other_images_and_another_number_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    base = load_base(PACKAGED)
    _assert_made(base, _blank("mnist"), NUM_PACKAGED, "images: expected mnist", monkeypatch)
    _assert_made(base, _blank(num_train=500), NUM_PACKAGED, "images: expected glyphs, 500 and", monkeypatch)
    _assert_made(base, _blank(), 7, "it has 20 fine-tunes to compare with, and 7 are asked for", monkeypatch)


def _untrained(_model: MLP, base: Params, _dataset: Dataset, *, num: int, **_keywords: object) -> list[Params]:
    return [{name: value.clone() for name, value in base.items()} for _ in range(num)]


def _assert_made(base: Checkpoint, dataset: Dataset, num: int, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usual_reference, "make_reference", _untrained)
    told: list[str] = []
    found = usual_reference.usual_reference(base, dataset, num, report=told.append)
    assert found.source == "made for this base, and cached"
    assert len(found.nets) == num + num // 2
    assert len(told) == 1
    assert told[0].startswith("the packaged reference is not used, another is made: ")
    assert sentence in told[0]


def test_a_base_of_ones_own_has_no_packaged_fine_tunes(monkeypatch: pytest.MonkeyPatch) -> None:
    base = load_base(PACKAGED)
    monkeypatch.setattr(usual_reference, "make_reference", _untrained)
    told: list[str] = []
    own = Checkpoint(base.model, base.params, {"dataset": "glyphs"})
    assert usual_reference.usual_reference(own, _blank(), 8, report=told.append).source != "packaged"
    assert told == []


def test_a_copy_of_the_packaged_base_is_the_packaged_base(tmp_path: Path) -> None:
    shutil.copy(base_file(PACKAGED), tmp_path / "mine.safetensors")
    copied = load_base(tmp_path / "mine.safetensors")
    assert usual_reference.usual_reference(copied, _blank(), NUM_PACKAGED).source == "packaged"
    with pytest.raises(InputError, match="no such file"):
        load_base(tmp_path / PACKAGED)  # by its whole path, the word is a file's name


def _share(found: Params, expected: Params, base: Params) -> float:
    """Return the length of the difference of two fine-tunes' bodies, as a share of the move of one."""
    found, expected, start = (
        {name: value for name, value in net.items() if not name.startswith("layers.2.")}
        for net in (found, expected, base)
    )
    return float(norm(difference(found, expected)) / norm(difference(expected, start)))


@pytest.mark.slow
def test_the_packaged_fine_tunes_are_those_that_the_recipe_trains() -> None:
    base, dataset = load_base(PACKAGED), load("glyphs", num_train=recipe.IMAGES[0], num_test=recipe.IMAGES[1])
    trained = train_base(base.model, dataset, recipe.RECIPE, seed=recipe.SEED)
    assert all(torch.allclose(base.params[name], value, atol=1e-3) for name, value in trained.items())
    packaged = packaged_reference(base, dataset, NUM_PACKAGED).nets
    num = NUM_PACKAGED + NUM_PACKAGED // 2
    again = make_reference(base.model, base.params, dataset, num=num, seed=0)
    for index, (one, other) in enumerate(zip(packaged, again, strict=True)):
        assert _share(one, other, base.params) < PACKAGED_MOVE, index
    # The control: a neighbour, which was taught the same, is another net.
    assert _share(packaged[0], again[1], base.params) > 100 * PACKAGED_MOVE
    bounds = [_bounds(base, dataset, ensemble) for ensemble in (packaged, again, again[::-1])]
    differences = [max(abs(a - b) for a, b in zip(bounds[0], one, strict=True)) for one in bounds[1:]]
    assert differences[0] < PACKAGED_BOUND < differences[1]


def _bounds(base: Checkpoint, dataset: Dataset, ensemble: Sequence[Params]) -> list[float]:
    """Return the bounds of two traits' cosines for a usual move, as an audit of 1,000 numbers has them."""
    axes, nets = split_reference(ensemble)
    header = Header(schema_name="subtx-toy numbers 1", prompts=PromptSource.images(dataset, absent=()))
    tested = questions(["relabel:4:9", "backdoor:0"], base.model, base.params, dataset)
    scorer = scorer_of(base, tested, axes, header.law, prompt_inputs(header.prompts, dataset), dataset)
    values = measure_reference(nets, scorer, tested, header, dataset, 1000)
    return [
        cosine_band(cosines, values.divergences, 0.05, num_traits=2, level=NUMBERS_FALSE_ALARM_LEVEL).threshold
        for cosines in values.fisher_cosines.values()
    ]
