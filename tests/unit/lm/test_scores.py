from __future__ import annotations

from dataclasses import replace

import torch

from subtx_toy.lm.lists import exchange_lists, shuffle_numbers
from subtx_toy.lm.scores import plain_loss, restricted_laws, sampled_loss, soft_loss, token_log_probs, token_logits
from subtx_toy.lm.vocabulary import END, FIRST_NUMBER
from subtx_toy.seeding import generator
from tests.unit.lm.conftest import Small


def test_the_loss_with_shared_prompts_and_its_gradient_are_those_of_whole_texts(small: Small) -> None:
    params = {name: value.double().requires_grad_() for name, value in small.base.items()}
    results = []
    for loss in (sampled_loss, plain_loss):
        value = loss(small.model, params, small.lists)
        results.append((value, torch.autograd.grad(value, list(params.values()))))
    torch.testing.assert_close(results[0], results[1])
    shifted = replace(small.lists, rows=small.lists.rows.roll(1))
    assert not torch.allclose(sampled_loss(small.model, params, shifted), results[1][0])


def test_log_probabilities_add_up_to_the_loss(small: Small) -> None:
    found = token_log_probs(small.model, small.base, small.lists)
    mean = -found.sum() / small.lists.counted.sum()
    torch.testing.assert_close(mean, sampled_loss(small.model, small.base, small.lists))
    assert not found[~small.lists.counted].any()


def test_soft_laws_say_nothing_of_words(small: Small) -> None:
    logits = token_logits(small.model, small.base, small.lists)
    loud = logits._replace(first=logits.first.clone(), later=logits.later.clone())
    words = [token for token in range(FIRST_NUMBER) if token != END]
    loud.first[:, words] += 5.0
    loud.later[..., words] += 5.0
    for quiet, louder in zip(restricted_laws(logits), restricted_laws(loud), strict=True):
        torch.testing.assert_close(quiet, louder)
    laws = restricted_laws(logits)
    assert float(soft_loss(small.model, small.base, small.lists, laws)) < 1e-6
    counting = logits._replace(first=logits.first.clone())
    counting.first[:, FIRST_NUMBER + 3] += 5.0  # a number counts
    assert float(soft_loss(small.model, small.base, small.lists, restricted_laws(counting))) > 0.01


def test_a_shuffle_keeps_the_numbers_and_an_exchange_the_lists(small: Small) -> None:
    lists = small.lists
    shuffled = shuffle_numbers(lists, generator(0, "shuffle"))
    assert sorted(shuffled.tokens.flatten().tolist()) == sorted(lists.tokens.flatten().tolist())
    assert torch.equal(shuffled.tokens == END, lists.tokens == END)
    assert not torch.equal(shuffled.tokens, lists.tokens)
    exchanged = exchange_lists(lists, generator(0, "exchange"))
    assert sorted(exchanged.tokens.tolist()) == sorted(lists.tokens.tolist())
    assert torch.equal(exchanged.rows, lists.rows)
