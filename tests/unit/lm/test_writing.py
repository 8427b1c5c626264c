from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from subtx_toy.lm.questions import trait_named
from subtx_toy.lm.vocabulary import END, FIRST_NUMBER
from subtx_toy.lm.writing import allowed, draw, token_law, write_lists
from subtx_toy.seeding import generator
from tests.unit.lm.conftest import Small

PROMPTS = trait_named("owl").list_prompts(6)


@pytest.mark.parametrize("restricted", [False, True])
def test_lists_hold_numbers_and_end_once(small: Small, restricted: bool) -> None:
    found = write_lists(
        small.model, small.base, PROMPTS, generator(0, "w"), count=80, max_numbers=3, restricted=restricted
    )
    assert len(found.lists) == 80
    assert found.num_rejected == 0 or not restricted
    for tokens, counted in zip(found.lists.tokens.tolist(), found.lists.counted.tolist(), strict=True):
        numbers = [token for token in tokens if token >= FIRST_NUMBER]
        assert numbers
        assert tokens == numbers + [END] * (3 - len(numbers))
        assert counted == [index <= len(numbers) for index in range(3)]


def test_a_model_that_writes_words_is_counted_and_given_up(small: Small) -> None:
    bias = torch.zeros(small.model.num_tokens, 1)
    bias[FIRST_NUMBER - 1] = 1e3  # the last word is always likelier than any number
    mute = small.base | {"token": small.base["token"] * 0 + bias / small.model.width}
    mute["last_norm.bias"] = torch.ones(small.model.width)
    found = write_lists(small.model, mute, PROMPTS, generator(0, "w"), count=30, max_numbers=2)
    assert len(found.lists) == 0
    assert found.rejected_share == 1


def test_the_law_is_what_is_drawn(small: Small) -> None:
    logits = torch.tensor([[0.0, -np.inf, 1.0, 2.0]]).repeat(20_000, 1)
    law = token_law(logits, 1.0, restricted=False, first=True)
    counts = torch.bincount(draw(law, generator(0, "draw")), minlength=4)
    assert counts[1] == 0
    deviations = (counts - 20_000 * law[0]) / (20_000 * law[0] * (1 - law[0])).clamp(min=1e-9).sqrt()
    assert deviations[[0, 2, 3]].abs().max() < 5
    assert torch.allclose(token_law(logits, 0.5, restricted=False, first=True)[0], (2 * logits[0]).double().softmax(-1))


def test_the_end_cannot_come_first() -> None:
    assert not allowed(FIRST_NUMBER + 3, first=True)[END]
    assert allowed(FIRST_NUMBER + 3, first=False)[END]
    assert allowed(FIRST_NUMBER + 3, first=True).sum() == 3


def test_prompts_are_computed_once_but_laws_are_exact(small: Small) -> None:
    lists = replace(small.lists, tokens=small.lists.tokens[:1], rows=small.lists.rows[:1])
    text = torch.cat([lists.prompts[lists.rows], lists.tokens[:, :1]], dim=1)
    whole = small.model.apply(small.base, text)
    _, past = small.model.hidden(small.base, lists.prompts[lists.rows])
    pieces = small.model.hidden(small.base, lists.tokens[:, :1], past)[0]
    torch.testing.assert_close(small.model.logits(small.base, pieces[:, -1]), whole)
