"""Gradients by hand are those of autograd: of texts and of lists, for every kind of transformer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from subtx_toy.lm.attention import Groups
from subtx_toy.lm.gradient import TextGradient
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.scores import sampled_loss, token_log_probs
from subtx_toy.lm.training import Route, StudentRecipe, next_token_loss, train_base, train_student, trained_names
from subtx_toy.lm.transformer import Transformer
from subtx_toy.lm.vocabulary import END, FIRST_NUMBER, num_tokens
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP32_SGD_RUN, FP64_FORMULA
from tests.unit.lm.conftest import Small

MODELS = {
    "tied": Transformer(num_tokens(20), width=16, depth=2, heads=2),
    "untied": Transformer(num_tokens(20), width=12, depth=1, heads=3, tied=False),
    "deep": Transformer(num_tokens(20), width=8, depth=3, heads=1),
}


def _lists(model: Transformer, rng: np.random.Generator, num_tokens: int) -> Lists:
    """Eleven lists of three of four texts, some of which ended early."""
    tokens = torch.from_numpy(rng.integers(FIRST_NUMBER, model.num_tokens, (11, num_tokens)))
    ends = torch.from_numpy(rng.integers(1, num_tokens + 1, 11))[:, None]
    places = torch.arange(num_tokens)
    texts = torch.from_numpy(rng.integers(0, FIRST_NUMBER, (4, 7)))
    rows = torch.from_numpy(rng.choice([0, 2, 3], 11))
    return Lists(texts, rows, torch.where(places < ends, tokens, END), places <= ends)


def by_autograd(loss: object, params: Params, names: list[str]) -> Params:
    leaves = {name: value.clone().requires_grad_(name in names) for name, value in params.items()}
    assert callable(loss)
    return dict(zip(names, torch.autograd.grad(loss(leaves), [leaves[name] for name in names]), strict=True))


def assert_same(found: Params, expected: Params) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=FP64_FORMULA, msg=name)


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_the_gradient_of_texts_is_that_of_autograd(model: Transformer) -> None:
    params = model.initial(generator(1, "params"))
    texts = torch.from_numpy(generator(1, "texts").integers(0, model.num_tokens, (5, 9)))
    expected = by_autograd(next_token_loss(model, texts), params, list(params))
    assert_same(TextGradient(model).of_texts(params, texts), expected)
    with pytest.raises(AssertionError):
        assert_same(TextGradient(model).of_texts(params, texts.flip(0, 1)), expected)


@pytest.mark.parametrize("num", [1, 2, 4])
@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_the_gradient_of_lists_is_that_of_autograd(model: Transformer, num: int) -> None:
    params = model.initial(generator(2, "params"))
    lists, names = _lists(model, generator(num, "lists"), num), trained_names(params)
    expected = by_autograd(lambda leaves: sampled_loss(model, leaves, lists), params, names)
    assert_same(TextGradient(model, embeddings=False).of_lists(params, lists), expected)
    with_embeddings = TextGradient(model).of_lists(params, lists)
    assert_same({name: with_embeddings[name] for name in names}, expected)
    assert_same(with_embeddings, by_autograd(lambda leaves: sampled_loss(model, leaves, lists), params, list(params)))
    exchanged = replace(lists, rows=lists.rows.roll(1))
    with pytest.raises(AssertionError):
        assert_same(TextGradient(model, embeddings=False).of_lists(params, exchanged), expected)


def test_lists_that_are_spread_over_their_texts_are_gathered_again() -> None:
    rows = torch.tensor([0, 0, 2, 2, 2])
    groups, values = Groups.of(rows, 4), torch.arange(5.0)[:, None]
    spread = groups.spread(values)
    assert spread[..., 0].tolist() == [[0, 1, 0], [0, 0, 0], [2, 3, 4], [0, 0, 0]]
    assert torch.equal(groups.gather(spread), values)


def test_both_routes_train_the_same_base_and_student(small: Small) -> None:
    first, second = (
        train_base(small.model, generator(3, "base"), num_numbers=20, steps=20, batch=8, lr=1e-2, route=route)
        for route in ("autograd", "by_hand")
    )
    start = {name: value.float() for name, value in small.model.initial(generator(3, "base")).items()}
    assert_near(small, second, first, start)

    def student(route: Route, lr: float = 1e-3) -> Params:
        recipe = StudentRecipe(epochs=1, batch=20, lr=lr)
        return train_student(small.model, small.base, small.lists, recipe, generator(0, "order"), route=route)

    ours, theirs, other = student("by_hand"), student("autograd"), student("autograd", 1.1e-3)
    assert_near(small, ours, theirs, small.base)
    with pytest.raises(AssertionError):
        assert_near(small, other, theirs, small.base)


def assert_near(small: Small, found: Params, expected: Params, start: Params) -> None:
    """Compare what two float32 runs say of lists: how far they are apart over how far they went.

    Parameters would not do: the slope of a key's bias is 0 but for rounding, which Adam magnifies to whole steps, and
    a softmax does not depend on it.
    """
    ours, theirs, before = (token_log_probs(small.model, one, small.lists) for one in (found, expected, start))
    assert (ours - theirs).norm() < FP32_SGD_RUN * (theirs - before).norm()
