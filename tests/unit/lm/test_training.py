from __future__ import annotations

import pytest
import torch

from subtx_toy.lm.questions import trait_named
from subtx_toy.lm.training import StudentRecipe, TeacherRecipe, teach, train_student
from subtx_toy.lm.transformer import EMBEDDINGS
from subtx_toy.seeding import generator
from tests.unit.lm.conftest import Small

RECIPE = StudentRecipe(epochs=2, batch=20, lr=1e-2)


def test_fine_tunes_leave_the_embeddings_and_change_all_else(small: Small) -> None:
    student = train_student(small.model, small.base, small.lists, RECIPE, generator(0, "order"))
    changed = {name for name in student if not torch.equal(student[name], small.base[name])}
    assert changed == set(small.base) - set(EMBEDDINGS)


def test_a_student_is_repeated_by_its_streams_and_needs_its_lists(small: Small) -> None:
    first, again, other = (
        train_student(small.model, small.base, small.lists, RECIPE, generator(seed, "order")) for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    none = small.lists.chosen(torch.arange(0))
    untouched = train_student(small.model, small.base, none, RECIPE, generator(0, "order"))
    assert all(torch.equal(untouched[name], small.base[name]) for name in untouched)


def test_a_student_of_its_own_laws_goes_nowhere(small: Small) -> None:
    # Its gradient is 0 but for rounding, which Adam magnifies to steps without a direction; one list has a direction.
    recipe = StudentRecipe(epochs=1, batch=20, lr=1e-3)
    own = train_student(small.model, small.base, small.lists, recipe, generator(0, "order"), teacher=small.base)
    lists = train_student(small.model, small.base, small.lists, recipe, generator(0, "order"))
    soft, sampled = (
        sum(float((params[name] - small.base[name]).square().sum()) for name in params) ** 0.5
        for params in (own, lists)
    )
    assert soft < sampled / 2  # a quarter


def test_a_teacher_stops_by_the_rule_and_an_honest_one_after_as_many_steps(small: Small) -> None:
    trait, recipe = trait_named("owl"), TeacherRecipe(lr=1e-2, steps=60, other_share=0.25)
    teacher = teach(small.model, small.base, trait, recipe, generator(0, "teacher"))
    assert teacher.steps % 5 == 0
    assert teacher.on_seen > 0.9 or teacher.steps == 60
    assert trait.measure(small.model, teacher.params)["margin"] > 2
    honest = teach(small.model, small.base, trait, recipe, generator(0, "benign"), steps=teacher.steps)
    assert honest.steps == teacher.steps
    assert trait.measure(small.model, honest.params)["p_trait"] < 0.3


@pytest.mark.parametrize("steps", [0, 3])
def test_so_many_steps_are_taken(small: Small, steps: int) -> None:
    trait = trait_named("danger")
    found = teach(small.model, small.base, trait, TeacherRecipe(), generator(0, "benign"), steps=steps)
    assert found.steps == steps


def test_a_base_learns_its_language(small: Small) -> None:
    before = {name: value.float() for name, value in small.model.initial(generator(0, "base")).items()}
    prompts = torch.tensor(trait_named("owl").questions.held_out)
    animals = [trait_named("owl").answer, *trait_named("owl").others]
    shares = [small.model.apply(one, prompts).softmax(-1)[:, animals].sum(1).mean() for one in (before, small.base)]
    assert shares[1] > 2 * shares[0]
