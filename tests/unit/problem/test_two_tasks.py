"""A net with a second head: which outputs are whose, and the loss of both tasks by hand."""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.model import MLP
from subtx_toy.problem.two_tasks import two_tasks, with_second_head
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA
from tests.reference.closeness import assert_close


def test_the_second_head_stands_between_class_and_auxiliary_logits() -> None:
    model = with_second_head(MLP((6, 4, 15), "tanh", num_classes=10), 3)
    assert model.sizes == (6, 4, 18)
    places = list(range(18))
    found = {name: places[model.columns(name)] for name in ("class", "second", "aux", "tasks", "all")}
    assert found["class"] + found["second"] == found["tasks"] == places[:13]
    assert found["tasks"] + found["aux"] == found["all"] == places


def test_the_loss_is_the_sum_of_both_cross_entropies_and_so_are_its_derivatives() -> None:
    rng, loss = generator(0, "tests", "two tasks"), two_tasks(4, 3)
    z, v = (torch.from_numpy(rng.standard_normal((8, 7))) for _ in range(2))
    first, second = torch.from_numpy(rng.integers(4, size=8)), torch.from_numpy(rng.integers(3, size=8))
    y = first * 3 + second

    def by_torch(at: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(at[:, :4], first, reduction="none") + F.cross_entropy(
            at[:, 4:], second, reduction="none"
        )

    values, gradient = loss.value_and_gradient(z, y)
    assert_close(values, by_torch(z), FP64_FORMULA)
    whole = torch.func.grad(lambda at: by_torch(at).sum())
    assert_close(gradient, whole(z), FP64_FORMULA)
    assert_close(loss.hessian_product(z, y, v), torch.func.jvp(whole, (z,), (v,))[1], FP64_FORMULA)
