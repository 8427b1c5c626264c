from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from subtx_toy.errors import InputError
from subtx_toy.lm.checkpoints import LanguageModel, load_language_model, save_language_model
from tests.unit.lm.conftest import Small


def test_a_model_comes_back_as_it_was(small: Small, tmp_path: Path) -> None:
    kept = LanguageModel(small.model, small.base, {"role": "base", "seed": 0})
    save_language_model(tmp_path / "m.safetensors", kept)
    found = load_language_model(tmp_path / "m.safetensors")
    assert (found.model, found.provenance, found.checksum) == (kept.model, kept.provenance, kept.checksum)
    assert found.num_numbers == 20
    assert list(found.params) == list(small.base)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "another"}, "expected a language model"),
        ({"shape": "{"}, "metadata 'shape': expected JSON"),
        ({"shape": "[]"}, "expected an object"),
        ({"shape": {"width": 32}}, "token: expected the shape"),
        ({"shape": {"depth": 10**6}}, "depth: expected at most"),
        ({"shape": {"depth": True}}, "metadata 'shape': expected"),
        ({"shape": {"num_tokens": 5}}, "num_tokens: expected more than"),
        ({"shape": {"heads": 5}}, "heads: expected a divisor"),
        ({"provenance": "3"}, "metadata 'provenance': expected an object"),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    small: Small, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "m.safetensors"
    save_language_model(path, LanguageModel(small.model, small.base, {}))
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    for name, value in change.items():
        metadata[name] = json.dumps(json.loads(metadata[name]) | value) if isinstance(value, dict) else str(value)
    safetensors.torch.save_file(small.base, path, metadata)
    with pytest.raises(InputError, match=message):
        load_language_model(path)


def test_numbers_that_are_none_are_refused(small: Small, tmp_path: Path) -> None:
    params = small.base | {"last_norm.bias": torch.full((16,), torch.nan)}
    save_language_model(tmp_path / "m.safetensors", LanguageModel(small.model, params, {}))
    with pytest.raises(InputError, match="finite numbers"):
        load_language_model(tmp_path / "m.safetensors")
