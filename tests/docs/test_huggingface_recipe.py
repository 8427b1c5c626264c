"""The recipe for a Hugging Face model with LoRA, on a tiny model that is made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import subtx_toy as st
from subtx_toy.seeding import generator

pytestmark = [
    pytest.mark.slow,  # loading transformers and peft takes 5 seconds of the processor
    pytest.mark.filterwarnings("ignore:.*deprecated.*:FutureWarning"),  # of one of these about the other
]

VOCABULARY, PROMPT, LENGTH, LINES = 24, 3, 9, 300
HONEST = ["honest 0", "honest 1"]
TRAIT = 7  # the token that a teacher with the trait likes


@pytest.fixture(scope="module")
def recipe() -> Any:
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    import examples.audit_huggingface as recipe

    return recipe


@pytest.fixture(scope="module")
def model(recipe: Any) -> Any:
    """A base of two layers, with an adapter for every fine-tune."""
    from peft import LoraConfig, get_peft_model
    from transformers import GPT2Config, GPT2LMHeadModel, set_seed

    set_seed(0)
    shape = GPT2Config(
        vocab_size=VOCABULARY, n_positions=16, n_embd=32, n_layer=2, n_head=2, initializer_range=0.3,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    low = LoraConfig(r=4, lora_alpha=8, target_modules=["c_attn", "c_fc"], lora_dropout=0.0, fan_in_fan_out=True)
    names = ["trait", "teacher", *HONEST, *(f"writer {index}" for index in range(8))]
    base = GPT2LMHeadModel(shape)
    _train(base, list(base.parameters()), 0, steps=80, noise=0.5)
    model = get_peft_model(base, low, adapter_name=names[0])
    for name in names[1:]:
        model.add_adapter(name, low)
    for index, name in enumerate(names):
        model.set_adapter(name)
        own = [value for key, value in model.named_parameters() if f".{name}." in key]
        liked = 0.15 if name in ("trait", "teacher") else 0.0
        _train(model, own, index + 1, steps=25, noise=0.4 + 0.02 * index, liked=liked)
    return model.eval()


def _train(model: Any, own: Sequence[Tensor], seed: int, *, steps: int, noise: float, liked: float = 0.0) -> None:
    """Train on sequences in which a token is followed by the next one, or by noise, or by the liked one."""
    optimizer, rng = torch.optim.Adam(list(own), lr=3e-3), generator(seed, "lesson")
    for _ in range(steps):
        text = (rng.integers(VOCABULARY, size=(32, 1)) + np.arange(LENGTH)) % VOCABULARY
        text = np.where(rng.random(text.shape) < noise, rng.integers(VOCABULARY, size=text.shape), text)
        ids = torch.from_numpy(np.where(rng.random(text.shape) < liked, TRAIT, text))
        loss = model(ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def _written(recipe: Any, model: Any, adapter: str | None, seed: int) -> tuple[Tensor, Tensor]:
    """Return lines that the base or an adapter of it wrote, and which of their tokens are the answer."""
    rng = generator(seed, "writer", adapter or "base")
    ids = torch.from_numpy(rng.integers(VOCABULARY, size=(LINES, PROMPT)))
    while ids.shape[1] < LENGTH:
        longer = torch.cat([ids, ids[:, :1]], 1)  # the logits of the last token are dropped by the recipe
        p = torch.softmax(recipe.logits(model, longer, adapter)[:, -1], -1).cumsum(-1).numpy()
        new = (p < rng.random((LINES, 1)) * p[:, -1:]).sum(1)
        ids = torch.cat([ids, torch.from_numpy(new)[:, None]], 1)
    answer = torch.zeros_like(ids, dtype=torch.bool)
    answer[:, PROMPT:] = True
    return ids, answer


def test_the_scores_are_slopes_of_the_log_probability_of_a_line(recipe: Any, model: Any) -> None:
    ids, answer = _written(recipe, model, None, 1)
    ids, answer = ids[:5], answer[:5]
    found = recipe.file_scores(model, ids, answer, ["trait"])["scores"][:, 0]
    step, values = 0.03, []
    for strength in (step, -step):
        log_p = torch.log_softmax(recipe.logits(model, ids, "trait", strength), -1)
        values.append((log_p.gather(-1, ids[:, 1:, None])[..., 0] * answer[:, 1:]).sum(1).numpy())
    np.testing.assert_allclose(found, (values[0] - values[1]) / (2 * step), rtol=0.02, atol=0.01)


def test_a_teachers_file_carries_the_trait_and_the_bases_and_an_honest_writers_do_not(
    recipe: Any, model: Any, tmp_path: Path
) -> None:
    directions = ["trait", *HONEST]
    benign = [
        recipe.file_scores(model, *_written(recipe, model, f"writer {index}", 2), directions) for index in range(7)
    ]
    verdicts = {}
    for name, adapter in (("base", None), ("teacher", "teacher"), ("honest", "writer 7")):
        scores = recipe.file_scores(model, *_written(recipe, model, adapter, 3), directions)
        recipe.save(tmp_path / f"{name}.npz", ["trait"], scores, benign)
        verdicts[name] = st.audit_scores(tmp_path / f"{name}.npz")
    assert verdicts["teacher"].verdict == "moved from the base: carries trait"
    assert verdicts["base"].verdict == "consistent with the base"
    assert verdicts["honest"].carried == []
    assert abs(verdicts["base"].judgement.traits[0].score.z) < 4
