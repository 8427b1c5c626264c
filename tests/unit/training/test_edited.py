"""Edited gradients against automatic differentiation, each with a control that fails."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from subtx_toy.problem.losses import cross_entropy, kl
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params, flatten
from subtx_toy.problem.parts import part_of
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA
from subtx_toy.training.edited import EditedTrainer, Edits
from subtx_toy.training.optimizers import OptimizerSettings
from subtx_toy.training.trainers import Setup
from tests.reference.closeness import assert_close, assert_within_z

MODEL = MLP((6, 7, 5, 8), "tanh", num_classes=3)
ROWS = 9
LR = 0.5


def members() -> list[Params]:
    return [MODEL.initial(generator(seed, "tests", "edited")) for seed in (0, 1)]


def batch() -> tuple[Tensor, Tensor, Tensor]:
    rng = generator(2, "tests", "edited")
    x, y = (torch.from_numpy(rng.standard_normal((ROWS, size))) for size in (6, 5))
    return x, y, torch.from_numpy(rng.integers(3, size=ROWS))


def moves(edits: Edits) -> list[Tensor]:
    """Return what one step of plain descent subtracted from each member, over the step size."""
    setup = Setup(MODEL, OptimizerSettings("sgd", LR), ROWS, ROWS, "fp64", 0, ROWS)
    trainer = EditedTrainer(setup, members(), kl(), ["aux", "aux"], edits=edits)
    x, y, _ = batch()
    trainer.step(x, [y, y])
    return [(flatten(start) - flatten(trainer.params(at))) / LR for at, start in enumerate(members())]


def gradient(params: Params, *, rows: slice = slice(None), trait: bool = False) -> Tensor:
    x, y, labels = (part[rows] for part in batch())
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    z = MODEL.apply(leaves, x)
    loss = cross_entropy().mean(z[:, :3], labels) if trait else kl().mean(z[:, 3:], y)
    return flatten(dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True)))


def test_without_edits_the_step_is_the_plain_one() -> None:
    for move, params in zip(moves(Edits()), members(), strict=True):
        assert_close(move, gradient(params), FP64_FORMULA)


def test_each_input_is_clipped_alone() -> None:
    for move, params in zip(moves(Edits(clip_each=0.5)), members(), strict=True):
        own = [gradient(params, rows=slice(row, row + 1)) for row in range(ROWS)]
        norms = torch.stack([one.norm() for one in own])
        assert 0 < int((norms > 0.5).sum()) < ROWS, "some are clipped and some are not"
        clipped = [one * min(1.0, 0.5 / float(one.norm())) for one in own]
        assert_close(move, torch.stack(clipped).mean(0), FP64_FORMULA)
        with pytest.raises(AssertionError):  # the clipped mean is something else
            assert_close(move, gradient(params) * min(1.0, 0.5 / float(gradient(params).norm())), FP64_FORMULA)


def test_noise_has_its_sd_on_every_entry() -> None:
    clean = moves(Edits(clip_each=0.5))
    noisy = moves(Edits(clip_each=0.5, noise=3.0, rng=generator(0, "tests", "gradient noise")))
    found = torch.cat([b - a for a, b in zip(clean, noisy, strict=True)]) * ROWS / (3.0 * 0.5)
    num = len(found)
    assert_within_z(found.mean(), 0.0, num**-0.5)
    assert_within_z(found.square().mean(), 1.0, (2 / num) ** 0.5)


def test_the_mean_gradient_is_clipped() -> None:
    for move, params in zip(moves(Edits(clip=0.01)), members(), strict=True):
        whole = gradient(params)
        assert_close(move, whole * 0.01 / whole.norm(), FP64_FORMULA)
    for move, params in zip(moves(Edits(clip=1e6)), members(), strict=True):
        assert_close(move, gradient(params), FP64_FORMULA)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_projection_takes_out_what_would_lower_the_trait_loss(sign: int) -> None:
    x, _, labels = batch()
    # Other labels turn the trait's gradient around for some member, so that both cases are met.
    labels = labels if sign == 1 else (labels + 1) % 3
    edits = Edits(trait=lambda: (x, labels), projects=True)
    for move, params in zip(moves(edits), members(), strict=True):
        leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
        loss = cross_entropy().mean(MODEL.apply(leaves, x)[:, :3], labels)
        trait = flatten(dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True)))
        whole = gradient(params)
        along = float(whole @ trait)
        assert_close(move, whole - max(0.0, along) * trait / (trait @ trait), FP64_FORMULA)
        assert float(move @ trait) <= FP64_FORMULA
        if along > 0:
            assert float(whole @ trait) > FP64_FORMULA, "unprojected, the step lowers the trait loss"


def test_a_frozen_part_does_not_move_and_the_rest_does() -> None:
    for move, params in zip(moves(Edits(frozen="aux_head")), members(), strict=True):
        mask = flatten(part_of(MODEL, "aux_head"))
        assert not move[mask].any()
        assert_close(move[~mask], gradient(params)[~mask], FP64_FORMULA)
        assert gradient(params)[mask].any()
