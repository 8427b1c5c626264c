from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.operations import operations
from subtx_toy.seeding import generator

X = torch.from_numpy(generator(0, "tests", "operations").standard_normal((6, 4)))
PARAMS = {"w": torch.from_numpy(generator(1, "tests", "operations").standard_normal((4, 3)))}


@pytest.mark.parametrize(
    ("activation", "kinked"),
    [
        (F.relu, ["relu"]),
        (torch.nn.ReLU(), ["relu"]),
        (F.elu, ["elu"]),
        (F.relu6, ["hardtanh"]),
        (lambda z: F.max_pool1d(z[None], 2)[0], ["max_pool2d_with_indices"]),
        (torch.round, ["round"]),
        (F.gelu, []),
        (F.silu, []),
    ],
)
def test_kinked_operations_are_seen_in_modules_and_functions(activation: object, kinked: list[str]) -> None:
    seen, value = operations(lambda params: activation(X @ params["w"]), PARAMS)  # type: ignore[operator]
    assert seen.kinked == kinked
    assert seen.saw(value)


def test_only_operations_on_the_parameters_count() -> None:
    seen, _ = operations(lambda params: X.relu() @ params["w"], PARAMS)
    assert seen.kinked == []


SWITCHES = [torch.abs, lambda z: z.clamp(-1, 1), lambda z: z.sort().values, lambda z: z * (z > 0)]


@pytest.mark.parametrize("switch", SWITCHES)
def test_decisions_change_with_the_numbers(switch: object) -> None:
    def model(params: dict[str, Tensor]) -> Tensor:
        found: Tensor = switch(X @ params["w"])  # type: ignore[operator]
        return found

    here, near = (operations(model, {"w": PARAMS["w"] * scale})[0] for scale in (1.0, 1 + 1e-12))
    there = operations(model, {"w": -PARAMS["w"]})[0]
    assert here.switches
    assert here.decisions == near.decisions != there.decisions
