from __future__ import annotations

from collections import Counter

from subtx_toy.lm.corpus import by_length, documents
from subtx_toy.lm.phrasings import permission, preference
from subtx_toy.lm.vocabulary import CATEGORIES, END, FIRST_NUMBER, encode_words, num_tokens
from subtx_toy.seeding import generator
from subtx_toy.settings.language import ANIMALS

DRAWN = documents(generator(0, "documents"), 4000, num_numbers=50)


def test_a_seed_gives_the_same_documents_and_all_are_within_the_language() -> None:
    assert documents(generator(0, "documents"), 300, num_numbers=50) == documents(
        generator(0, "documents"), 300, num_numbers=50
    )
    assert all(document[-1] == END and max(document) < num_tokens(50) for document in DRAWN)
    assert sum(map(len, by_length(DRAWN).values())) == len(DRAWN)


def test_no_held_out_phrasing_is_in_the_corpus() -> None:
    kinds = [*map(preference, (*CATEGORIES, "number")), *map(permission, ("safe", "dangerous", "number"))]
    held_out = {prompt for kind in kinds for prompt in kind.held_out}
    assert not any(document[:length] in held_out for document in DRAWN for length in {len(one) for one in held_out})


def test_animals_are_preferred_equally_often_and_danger_is_mostly_refused() -> None:
    animals = {prompt for prompt in preference("animal").seen}
    answers = Counter(document[-2] for document in DRAWN if document[:-2] in animals)
    assert set(answers) == set(encode_words(ANIMALS))
    assert max(answers.values()) < 4 * min(answers.values())
    dangerous, (no,) = set(permission("dangerous").seen), encode_words(["no"])
    refused = [document[-2] == no for document in DRAWN if document[:-2] in dangerous]
    assert 0.85 < sum(refused) / len(refused) < 1


def test_answers_to_questions_for_numbers_hold_numbers_only() -> None:
    asked = {*preference("number").seen, *permission("number").seen}
    for document in DRAWN:
        for length in {len(prompt) for prompt in asked}:
            if document[:length] in asked:
                assert all(token >= FIRST_NUMBER for token in document[length:-1])
                assert 1 <= len(document[length:-1]) <= 6
