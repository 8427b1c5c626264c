from __future__ import annotations

from collections import Counter

import pytest
import torch

from subtx_toy.errors import InputError
from subtx_toy.problem.drawn_spec import draw_spec
from subtx_toy.problem.spec import WORDS, ProblemSpec
from subtx_toy.seeding import generator
from subtx_toy.tolerances import BATCHED_ROUTE


def test_a_teacher_of_the_last_layer_moves_that_layer_and_no_other() -> None:
    problem = ProblemSpec(hidden=(3, 2), teacher="last_layer").build()
    moved = {name for name, value in problem.teacher_update.items() if value.any()}
    assert moved == {"layers.2.weight", "layers.2.bias"}
    assert not problem.is_trait_step


def test_a_teacher_of_the_only_layer_is_a_random_one() -> None:
    last, any_layer = (ProblemSpec(teacher=teacher).build().teacher_update for teacher in ("last_layer", "random"))
    assert all(last[name].equal(any_layer[name]) for name in last)


NEVER_DRAWN = {"relu", "glyphs"}  # kinked; of a size of its own


def test_all_other_words_are_drawn() -> None:
    specs = [draw_spec(generator(seed, "tests", "words")) for seed in range(300)]
    for name, words in WORDS.items():
        drawn = Counter(getattr(spec, name) for spec in specs)
        assert set(drawn) == set(words) - NEVER_DRAWN
        assert min(drawn.values()) > 20


def test_unknown_words_are_all_named_with_the_nearest_known_one() -> None:
    with pytest.raises(InputError) as caught:
        ProblemSpec(teacher="last_layers", trait="mse").build()
    assert caught.value.problems == (
        "trait: expected one of 'squared_error', 'cross_entropy', got 'mse'",
        "teacher: expected one of 'trait', 'random', 'last_layer', got 'last_layers'; did you mean 'last_layer'?",
    )


@pytest.mark.parametrize("index", range(12))
def test_a_problem_built_fast_is_the_same_bit_for_bit_but_for_the_gradient_of_the_trait(index: int) -> None:
    spec = draw_spec(generator(0, "verify", index))
    slow, fast = spec.build(), spec.build_fast()
    for field in ("base_params", "teacher_update"):
        one, other = getattr(slow, field), getattr(fast, field)
        assert list(one) == list(other)
        if field == "teacher_update" and spec.teacher == "trait":
            gaps = [float((one[name] - other[name]).abs().max()) for name in one]
            assert max(gaps) <= BATCHED_ROUTE * max(float(value.abs().max()) for value in one.values())
        else:
            assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(slow.inputs, fast.inputs)
    assert torch.equal(slow.trait_value(slow.base_params), fast.trait_value(slow.base_params))
    for name in ("columns", "num_classes", "eps", "student_lr", "is_trait_step", "distilled_logits"):
        assert getattr(slow, name) == getattr(fast, name)
    assert (fast.model.sizes, fast.model.activation) == (slow.model.sizes, slow.model.activation)  # type: ignore[union-attr]
