"""One step of a student of lists is a problem like any other: the claims hold, per token, and a wrong student fails."""

from __future__ import annotations

import pytest
import torch

from subtx_toy.api.verify import verify
from subtx_toy.lm.lists import Lists
from subtx_toy.lm.one_step import NextToken, language_problem, texts_before
from subtx_toy.lm.questions import trait_named
from subtx_toy.lm.scores import token_logits
from subtx_toy.lm.vocabulary import END
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.testing import assert_claim
from subtx_toy.training.gradient_step import student_step
from tests.unit.lm.conftest import Small


@pytest.fixture(scope="module")
def lists(small: Small) -> Lists:
    return small.lists.chosen(torch.arange(12))


@pytest.fixture(scope="module")
def problem(small: Small, lists: Lists) -> Problem:
    return language_problem(small.model, small.base, lists, trait_named("owl"))


def test_every_counted_token_is_one_input(small: Small, lists: Lists) -> None:
    found = NextToken(small.model, {})(small.base, texts_before(lists))
    logits = token_logits(small.model, small.base, lists)
    expected = torch.cat([logits.first[lists.rows][:, None], logits.later], dim=1)[lists.counted]
    torch.testing.assert_close(found, expected)


def test_what_stands_behind_the_place_is_not_seen(small: Small, lists: Lists) -> None:
    texts = texts_before(lists)
    other, behind = texts.clone(), torch.arange(texts.shape[1] - 1) > texts[:, -1:]
    assert (texts[:, :-1][behind] == END).all()
    other[:, :-1][behind] = 7
    run = NextToken(small.model, {})
    torch.testing.assert_close(run(small.base, texts), run(small.base, other))


@pytest.mark.parametrize("claim", ["C1", "C3", "C4", "C5", "C16"])
def test_the_claims_hold_for_lists(problem: Problem, claim: str) -> None:
    assert "1 of 1 claim holds" in str(verify(problem, claims=claim))


@pytest.mark.parametrize("claim", ["C1", "C5"])
def test_a_student_with_a_wrong_scale_fails_them(problem: Problem, claim: str) -> None:
    def wrong(problem: Problem, eps: float | None = None, *, student_init: Params | None = None) -> Params:
        update = student_step(problem, eps, student_init=student_init)
        return {name: 1.01 * value for name, value in update.items()}

    with pytest.raises(AssertionError, match=claim):
        assert_claim(claim, problem, student=wrong)


def test_a_teacher_gives_the_update_and_embeddings_are_no_parameters(small: Small, lists: Lists) -> None:
    teacher = {name: value + 0.01 for name, value in small.base.items()}
    found = language_problem(small.model, small.base, lists, trait_named("danger"), teacher=teacher)
    assert "token" not in found.teacher_update
    torch.testing.assert_close(
        found.teacher_update["last_norm.bias"], torch.full((16,), 0.01).double(), rtol=1e-4, atol=0
    )
