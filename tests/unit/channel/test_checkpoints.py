"""Checkpoints: written whole, read back, and refused when they are something else."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from subtx_toy.channel.checkpoints import load_checkpoint, save_checkpoint
from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.net_cache import NetCache, cached_path
from subtx_toy.errors import InputError
from tests.unit.conftest import SmallChannel


def test_a_net_is_read_back_with_its_shape_and_how_it_was_made(tmp_path: Path, channel: SmallChannel) -> None:
    path = tmp_path / "base.safetensors"
    save_checkpoint(path, channel.base, provenance={"role": "base", "seed": 3})
    read = load_checkpoint(path)
    assert read.model.sizes == channel.model.sizes
    assert read.provenance == {"role": "base", "seed": 3}
    assert list(read.params) == list(channel.base)
    assert all(torch.equal(read.params[name], value) for name, value in channel.base.items())
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_another_program_needs_no_metadata(tmp_path: Path, channel: SmallChannel) -> None:
    safetensors.torch.save_file(channel.base, tmp_path / "plain.safetensors")
    assert load_checkpoint(tmp_path / "plain.safetensors").provenance == {}


def test_what_is_no_net_of_the_channel_is_refused(tmp_path: Path, channel: SmallChannel) -> None:
    cases = {
        "short.safetensors": (b"abc", "expected a safetensors file"),
        "pickle.safetensors": (pickle.dumps({"layers.0.weight": [1.0]}), "expected a safetensors file"),
        "huge.safetensors": (b"\xff" * 64, "expected a safetensors file"),
    }
    for name, (content, sentence) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=sentence):
            load_checkpoint(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        load_checkpoint(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="expected a safetensors file"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("fault", ["nan", "name", "shape", "outputs"])
def test_wrong_tensors_are_told(tmp_path: Path, channel: SmallChannel, fault: str) -> None:
    params = {name: value.clone() for name, value in channel.base.items()}
    sentence = "got nan"
    if fault == "nan":
        params["layers.1.weight"][0, 0] = torch.nan
    elif fault == "name":
        params["head"] = params.pop("layers.2.bias")
        sentence = "expected tensors layers.0.weight"
    elif fault == "shape":
        params["layers.1.weight"] = params["layers.1.weight"][:, 1:].contiguous()
        sentence = "layers.1: expected a weight"
    else:
        params["layers.2.weight"], params["layers.2.bias"] = torch.zeros(13, 32), torch.zeros(13)
        sentence = "got 13 outputs"
    safetensors.torch.save_file(params, tmp_path / "bad.safetensors")
    with pytest.raises(InputError, match=sentence):
        load_checkpoint(tmp_path / "bad.safetensors")


def test_nets_are_made_once_and_again_when_the_cached_file_is_damaged(channel: SmallChannel) -> None:
    shop = NetCache(channel.dataset, 11, base_recipe=Recipe(epochs=1), teacher_recipe=Recipe(epochs=1), width=16)
    first = shop.teacher("benign", trait="relabel")
    path = cached_path(shop.provenance("benign"))
    stamp = path.stat().st_mtime_ns
    assert torch.equal(shop.teacher("benign", trait="backdoor")["layers.0.weight"], first["layers.0.weight"])
    assert path.stat().st_mtime_ns == stamp
    path.write_bytes(b"damaged")
    assert torch.equal(shop.teacher("benign", trait="relabel")["layers.0.weight"], first["layers.0.weight"])
    with pytest.raises(InputError, match="got 'evil'"):
        shop.teacher("evil", trait="relabel")
