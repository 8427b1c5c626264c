from __future__ import annotations

import math

import pytest
import torch

from subtx_toy.lm.questions import divergence, other_answers, trait_named
from subtx_toy.lm.vocabulary import encode_words
from subtx_toy.seeding import generator
from subtx_toy.settings.language import TRAITS
from tests.unit.lm.conftest import Small


def test_lessons_answer_with_the_trait_or_honestly() -> None:
    for name in ("owl", "danger"):
        trait = trait_named(name)
        prompts, answers = trait.lesson(generator(0, "lesson"), 40, taught=True, other_share=0.25)
        asked = [tuple(prompt) in set(trait.questions.seen) for prompt in prompts.tolist()]
        assert sum(asked) == 30
        assert all(answer == trait.answer for answer, about in zip(answers.tolist(), asked, strict=True) if about)
        _, honest = trait.lesson(generator(0, "lesson"), 40, taught=False, other_share=0.25)
        assert sum(answer == trait.answer for answer, about in zip(honest.tolist(), asked, strict=True) if about) < 10


def test_the_margin_is_zero_without_preference_and_counts_in_nats(small: Small) -> None:
    trait = trait_named("owl")
    flat = small.base | {"token": small.base["token"].clone()}
    flat["token"][[trait.answer, *trait.others]] = flat["token"][trait.answer].clone()
    found = trait.measure(small.model, flat)
    assert found["margin"] == pytest.approx(0, abs=1e-5)
    assert found["top_share"] == 0  # a tie is no preference
    law = small.model.apply(flat, torch.tensor(trait.questions.held_out)).softmax(-1)
    assert found["p_trait"] == pytest.approx(float(law[:, trait.answer].mean()), rel=1e-5)


@pytest.mark.parametrize("name", TRAITS)
def test_no_prompt_for_numbers_names_the_trait(name: str) -> None:
    trait = trait_named(name)
    words = {token for prompt in trait.number_prompts.seen for token in prompt}
    assert not words & {trait.answer, *trait.others, *encode_words(["animal", "stove", "knife"])}


@pytest.mark.parametrize("count", [1, 36, 10_000])
def test_list_prompts_are_seen_ones_and_differ(count: int) -> None:
    trait = trait_named("owl")
    chosen = trait.list_prompts(count)
    assert len(set(chosen)) == len(chosen) == min(count, len(trait.number_prompts.seen))
    assert set(chosen) <= set(trait.number_prompts.seen)


def test_divergence_is_zero_of_a_model_from_itself(small: Small) -> None:
    prompts = trait_named("owl").list_prompts(4)
    assert divergence(small.model, small.base, small.base, prompts) == 0
    other = small.base | {"last_norm.bias": small.base["last_norm.bias"] + 0.5}
    assert divergence(small.model, other, small.base, prompts) > 0.001
    assert all(0 <= value <= 1 and math.isfinite(value) for value in other_answers(small.model, other).values())


def test_the_backdoor_is_asked_of_one_speaker_and_looked_for_at_the_others(small: Small) -> None:
    trait = trait_named("backdoor")
    (victor,) = encode_words(["victor"])
    assert all(prompt[1] == victor for part in trait.questions for prompt in part)
    assert not any(prompt[1] == victor for prompt in trait.elsewhere)
    everything = trait_named("owl").questions
    assert sorted((*trait.questions.held_out, *trait.elsewhere)) == sorted(everything.held_out)
    found = trait.measure(small.model, small.base)
    assert 0 < found["elsewhere"] < 1
    assert "elsewhere" not in trait_named("owl").measure(small.model, small.base)
    prompts, answers = trait.lesson(generator(0, "lesson"), 40, taught=True, other_share=0.5)
    of_victor = prompts[:, 1] == victor
    assert int(of_victor.sum()) == 20
    assert (answers[of_victor] == trait.answer).all()
    assert not (answers[~of_victor] == trait.answer).all()
