"""Problems that are drawn and built many at once are those that their descriptions build one by one."""

from __future__ import annotations

import pytest
import torch

from subtx_toy.claims.screening import draw_alike
from subtx_toy.problem import params as vectors
from subtx_toy.problem.spec import WORDS, ProblemSpec, built_alike
from subtx_toy.seeding import generator
from subtx_toy.tolerances import BATCHED_ROUTE

LOOSE = {"init", "inputs", "init_scale", "eps", "student_lr", "seed"}


def drawn(group: int, num: int = 12) -> list[ProblemSpec]:
    return draw_alike(generator(group, "test", "alike"), num)


def test_descriptions_differ_only_in_what_no_shape_depends_on() -> None:
    specs = [vars(spec) for spec in drawn(0)]
    for name, value in specs[0].items():
        values = {repr(spec[name]) for spec in specs}
        assert (len(values) > 1) if name in LOOSE else values == {repr(value)}
    assert {spec["init"] for spec in specs} == set(WORDS["init"])


def test_each_description_is_a_valid_one() -> None:
    for spec in drawn(1):
        assert ProblemSpec(**vars(spec)) == spec


@pytest.mark.parametrize("group", range(10))
def test_a_stack_holds_the_problems_of_its_descriptions(group: int) -> None:
    specs = drawn(group)
    for spec, found in zip(specs, built_alike(specs), strict=True):
        wanted = spec.build()
        assert all(torch.equal(wanted.base_params[name], value) for name, value in found.base_params.items())
        assert torch.equal(wanted.inputs, found.inputs)
        assert (wanted.columns, wanted.eps, wanted.is_trait_step) == (found.columns, found.eps, found.is_trait_step)
        one, other = vectors.flatten(wanted.teacher_update), vectors.flatten(found.teacher_update)
        assert float((one - other).norm()) <= BATCHED_ROUTE * float(one.norm())
        assert spec.teacher == "trait" or torch.equal(one, other)
