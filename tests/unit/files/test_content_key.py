"""Content keys are what they always were: every golden key here was computed by commit 25b259a.

That commit computed each of them by code of its own; a key that changes orphans what is stored under it.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from subtx_toy.audit.reference import fingerprint
from subtx_toy.certify.description import Description
from subtx_toy.channel.net_cache import cached_path
from subtx_toy.data import drawn
from subtx_toy.files.content_key import block_key, content_key, seal, seed_keys
from subtx_toy.settings.base import Settings, run_ids
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.settings.one_step import OneStepConfig

SEVENTHS = torch.arange(6).float().reshape(2, 3) / 7


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        (RunConfig(width=64, lr=0.001), ["2d926dd5e03200094d6a52f230763482", "131c1a6755f6329d20d9551e2ccc38c7"]),
        (RunConfig(precision="bf16"), ["b8ac1ff34192e4721b290fbac92339aa", "c9e7e234d3e21f6f4bf1b0c5ba9fc984"]),
        (NumbersConfig(trait="backdoor"), ["3c1e2ad2864943f63468cce80f6680fe", "f922a5733d0aefd8897242855635156c"]),
        (OneStepConfig(), ["838dda90f032e3e05905d58b66a172f3", "3bca83a10511427810760c7218b15b20"]),
    ],
)
def test_the_keys_of_runs_stay(config: Settings, keys: list[str]) -> None:
    assert run_ids(config, seeds=[0, 12], dataset_sha256="ab" * 32) == keys


def test_the_key_of_a_cached_net_stays() -> None:
    provenance = {"role": "base", "seed": 3, "recipe": {"lr": 3e-4, "epochs": 2}, "trait": None}
    assert cached_path(provenance).name == "ee09cc009c1186b14b322cd6.safetensors"


def test_the_fingerprint_of_a_net_stays() -> None:
    params = {"layers.0.weight": SEVENTHS, "layers.0.bias": torch.ones(2)}
    assert fingerprint(params) == "ace68e4e0e4eb8b725914742ffc7dfe5"


def test_the_fingerprint_of_directions_stays() -> None:
    blocks = (block.numpy().tobytes() for block in (SEVENTHS[None], torch.ones(1, 2)))
    assert block_key(*blocks) == "63501b85177f6c883ec66bf9c3a5e387"


def test_the_seal_and_the_fingerprint_of_certificates_stay() -> None:
    sealed = {"b": 1.5, "a": [1, math.inf]}
    assert seal(sealed) == "b5c6ba4a8411a7325217457decc5c5303c9dde661d6e7149d88f1c16cfc0bac3"
    described = Description(
        "alignment", "tanh", "kl", 1.0, 0.5, [1], "", [], {"inputs": np.arange(6.0).reshape(2, 3) / 7}
    )
    assert described.fingerprint() == "74152bbfc2545f7028adf009b4b45aee991ce015a3a4221079bbfe4c8b51ddcd"


def test_the_folder_of_drawn_images_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "version", lambda _library: "1.2.3")
    assert drawn.place(5, 3).name == "v1-5-3-dba7310e1f43"


def test_a_key_does_not_depend_on_the_order_of_a_mapping_and_depends_on_every_value() -> None:
    key = content_key({"a": 1, "b": [0.1, "x"]})
    assert content_key({"b": [0.1, "x"], "a": 1}) == key
    assert len({key, content_key({"a": 1, "b": [0.1, "y"]}), content_key({"a": 1, "b": [0.2, "x"]})}) == 3
    assert len(content_key({}, size=12)) == 24


def test_a_key_of_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        content_key({"a": math.nan})
    with pytest.raises(ValueError, match="not JSON compliant"):
        seed_keys({"a": math.inf}, [0])
