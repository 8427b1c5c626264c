"""Students of the studies: the usual one is that of the experiment; parts of lists, low rank, plain steps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from experiments.studies import language_students as students
from experiments.studies.language_students import Training
from subtx_toy.lm.scores import sampled_loss, token_log_probs
from subtx_toy.lm.training import StudentRecipe, train_student, trained_names
from subtx_toy.lm.vocabulary import FIRST_NUMBER
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP32_SGD_RUN
from tests.unit.lm.conftest import Small

SHORT = Training(epochs=2, batch=20)


def test_the_usual_student_is_the_experiments(small: Small) -> None:
    ours = students.trained(small.model, small.base, small.lists, SHORT, generator(0, "order"))
    theirs = train_student(
        small.model, small.base, small.lists, StudentRecipe(2, 20), generator(0, "order"), route="by_hand"
    )
    for name in small.base:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-6)
    other = students.trained(small.model, small.base, small.lists, replace(SHORT, lr=2e-3), generator(0, "order"))
    assert not torch.allclose(other["last_norm.weight"], theirs["last_norm.weight"], rtol=0, atol=1e-6)


def test_weights_of_all_tokens_and_of_some_add_up(small: Small) -> None:
    counted = small.lists.counted.float()
    first = torch.eye(3)[:1] * counted
    whole, one, others = (
        students.weighted_loss(small.model, small.base, small.lists, weights)
        for weights in (counted, first, counted - first)
    )
    assert whole == pytest.approx(float(sampled_loss(small.model, small.base, small.lists)), abs=1e-5)
    parts = float(one) * float(first.sum()) + float(others) * float((counted - first).sum())
    assert float(whole) * float(counted.sum()) == pytest.approx(parts, rel=1e-5)


def test_a_low_rank_student_changes_matrices_by_that_rank_and_nothing_else(small: Small) -> None:
    found = students.trained(small.model, small.base, small.lists, replace(SHORT, rank=2), generator(0, "order"))
    matrices = [name for name in trained_names(small.base) if small.base[name].ndim == 2]
    for name, before in small.base.items():
        if name in matrices:
            assert torch.linalg.matrix_rank(found[name] - before, rtol=1e-3) == 2
        else:
            assert torch.equal(found[name], before)


@pytest.mark.parametrize("rank", [None, 2])
def test_gradients_by_hand_train_the_student_of_autograd(small: Small, rank: int | None) -> None:
    """As what they say of the lists: Adam magnifies a slope that is 0 but for rounding, and nothing depends on it."""

    def said(training: Training, weights: torch.Tensor | None) -> torch.Tensor:
        order = generator(0, "order")
        found = students.trained(small.model, small.base, small.lists, training, order, weights)
        return token_log_probs(small.model, found, small.lists)

    training, all_tokens = replace(SHORT, rank=rank), small.lists.counted.float()
    start = token_log_probs(small.model, small.base, small.lists)
    ours, theirs = (said(training, weights) for weights in (None, all_tokens))
    apart = FP32_SGD_RUN * (theirs - start).norm()
    assert (ours - theirs).norm() < apart
    assert (said(replace(training, lr=1.01 * training.lr), None) - theirs).norm() > apart


def test_a_plain_step_is_the_gradient(small: Small) -> None:
    one = Training(epochs=1, batch=len(small.lists), lr=0.1, optimizer="sgd", in_order=True)
    found = students.trained(small.model, small.base, small.lists, one, generator(0, "order"))
    name = "layers.0.qkv.bias"
    leaf = small.base[name].clone().requires_grad_()
    loss = sampled_loss(small.model, small.base | {name: leaf}, small.lists)
    (gradient,) = torch.autograd.grad(loss, [leaf])
    torch.testing.assert_close(found[name], small.base[name] - 0.1 * gradient, rtol=0, atol=1e-6)


def test_a_long_gradient_is_shortened_and_a_short_one_is_not(small: Small) -> None:
    one = Training(epochs=1, batch=len(small.lists), lr=0.1, optimizer="sgd", in_order=True)

    def moved(longest: float | None) -> torch.Tensor:
        found = students.trained(
            small.model, small.base, small.lists, replace(one, longest=longest), generator(0, "order")
        )
        return torch.cat([(found[name] - small.base[name]).flatten() for name in small.base])

    plain = moved(None)
    norm = float(plain.norm()) / 0.1
    torch.testing.assert_close(moved(norm / 4), plain / 4, rtol=0, atol=1e-6)
    assert torch.equal(moved(1.01 * norm), plain)


def test_lists_are_sorted_and_numbers_removed(small: Small) -> None:
    assert (students.sorted_by_prompt(small.lists).rows.diff() >= 0).all()
    numbers = torch.arange(5)
    kept = students.without(small.lists, numbers)
    assert 0 < len(kept) < len(small.lists)
    assert not torch.isin(kept.tokens, FIRST_NUMBER + numbers).any()


def test_a_model_does_not_diverge_from_itself_and_does_from_another(small: Small) -> None:
    moved = small.base | {"last_norm.weight": small.base["last_norm.weight"] * 1.1}
    ours, theirs = (students.laws(small.model, params, small.lists) for params in (small.base, moved))
    assert students.divergence_of_lists(ours, ours, small.lists) == 0
    assert students.divergence_of_lists(ours, theirs, small.lists) > 0
    assert students.same_choice(ours, ours, small.lists).all()
