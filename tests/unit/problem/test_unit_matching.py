"""Orders of hidden units: the function stays, and matching finds a planted order."""

from __future__ import annotations

import torch

from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import inner
from subtx_toy.problem.unit_matching import matched_units, permuted
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA
from tests.reference.closeness import assert_close

MODEL = MLP((7, 12, 9, 5), "relu", num_classes=3)
BASE, OTHER = (MODEL.initial(generator(seed, "tests", "unit matching")) for seed in (0, 1))


def test_another_order_of_units_is_the_same_function() -> None:
    x = torch.from_numpy(generator(2, "tests", "unit matching").standard_normal((20, 7)))
    twin = permuted(MODEL, BASE, generator(0, "tests", "order"))
    assert not torch.equal(twin["layers.1.weight"], BASE["layers.1.weight"])
    for changed, own in ((twin, BASE), (matched_units(MODEL, OTHER, BASE), OTHER)):
        assert_close(MODEL.apply(changed, x), MODEL.apply(own, x), FP64_FORMULA)


def test_matching_finds_the_order_of_a_twin_and_brings_others_nearer() -> None:
    twin = permuted(MODEL, BASE, generator(0, "tests", "order"))
    found = matched_units(MODEL, twin, BASE)
    assert all(torch.equal(found[name], BASE[name]) for name in BASE)
    assert float(inner(matched_units(MODEL, OTHER, BASE), BASE)) > float(inner(OTHER, BASE))
