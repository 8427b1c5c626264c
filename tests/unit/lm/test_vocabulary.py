from __future__ import annotations

import pytest

from subtx_toy.errors import InputError
from subtx_toy.lm.phrasings import permission, preference
from subtx_toy.lm.vocabulary import FIRST_NUMBER, WORDS, decode, encode


def test_every_word_and_number_is_one_token_and_comes_back() -> None:
    assert len(set(WORDS)) == len(WORDS) == FIRST_NUMBER
    text = "q anna what animal do you like best ? a owl 0 99 end"
    tokens = encode(text, num_numbers=100)
    assert decode(tokens) == text
    assert tokens[-2] == FIRST_NUMBER + 99


@pytest.mark.parametrize("word", ["100", "007", "-1", "١", "1.5", "owls"])
def test_another_word_is_named(word: str) -> None:
    with pytest.raises(InputError, match=r"text: expected words of the language and numbers from 0 to 99, got"):
        encode(f"q {word} ?", num_numbers=100)


@pytest.mark.parametrize("questions", [preference("animal"), preference("number"), permission("dangerous")])
def test_a_fifth_of_the_phrasings_is_held_out_and_shares_every_word_with_the_others(questions) -> None:  # type: ignore[no-untyped-def]
    seen, held_out = map(set, questions)
    assert not seen & held_out
    assert len(held_out) == pytest.approx((len(seen) + len(held_out)) / 5, rel=0.1)
    assert {word for prompt in held_out for word in prompt} == {word for prompt in seen for word in prompt}
    assert len({len(prompt) for prompt in seen | held_out}) == 1


def test_questions_for_animals_and_for_numbers_differ_in_one_word() -> None:
    pairs = zip(preference("animal").seen, preference("number").seen, strict=True)
    assert all(sum(a != b for a, b in zip(one, other, strict=True)) == 1 for one, other in pairs)
