"""Parts of a perceptron, and initialisations in which one is drawn again."""

from __future__ import annotations

import pytest
import torch

from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params, flatten
from subtx_toy.problem.parts import part_of, redrawn
from subtx_toy.seeding import generator
from tests.reference.closeness import assert_within_z, same_bits

MODEL = MLP((20, 30, 25, 9), "tanh", num_classes=4)
PARTS = ("first_layer", "hidden", "class_head", "aux_head")


def drawn(seed: int) -> Params:
    return MODEL.initial(generator(seed, "tests", "parts"))


def again(part: str, **how: object) -> Params:
    return redrawn(MODEL, drawn(0), drawn(1), generator(0, "tests", "redrawn"), part=part, **how)  # type: ignore[arg-type]


def test_hidden_layers_and_heads_are_everything_once() -> None:
    whole = torch.stack([flatten(part_of(MODEL, part)).long() for part in ("hidden", "class_head", "aux_head")]).sum(0)
    assert bool((whole == 1).all())
    assert not flatten(part_of(MODEL, "nothing")).any()
    assert flatten(part_of(MODEL, "everything")).all()
    first = part_of(MODEL, "first_layer")
    assert [name for name, mask in first.items() if mask.any()] == ["layers.0.weight", "layers.0.bias"]


@pytest.mark.parametrize("part", PARTS)
def test_the_part_is_the_other_draws_and_the_rest_is_kept(part: str) -> None:
    mask, found = flatten(part_of(MODEL, part)), flatten(again(part))
    assert torch.equal(found[mask], flatten(drawn(1))[mask])
    assert torch.equal(found[~mask], flatten(drawn(0))[~mask])
    assert not torch.equal(found, flatten(drawn(0)))


def test_a_share_is_exchanged_and_a_larger_one_contains_it() -> None:
    old = flatten(drawn(0))
    small, large = (flatten(again("everything", share=share)) != old for share in (0.2, 0.5))
    weights = flatten({name: torch.full_like(value, name.endswith("weight")) for name, value in drawn(0).items()}) > 0
    num = int(weights.sum())  # biases are 0 in both draws
    assert_within_z(small[weights].double().mean(), 0.2, (0.2 * 0.8 / num) ** 0.5)
    assert bool((large | ~small).all())
    assert same_bits(again("everything", share=1.0), drawn(1))


def test_a_mixture_keeps_the_variance() -> None:
    found = again("everything", share=0.3, mixture=True)
    weight = found["layers.0.weight"] * 20**0.5
    assert_within_z(weight.square().mean(), 1.0, (2 / weight.numel()) ** 0.5)
    assert not torch.equal(found["layers.0.weight"], drawn(0)["layers.0.weight"])
