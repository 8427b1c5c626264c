"""Students whose gradients are clipped, made noisy, projected or set to zero in part before the optimiser sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.losses import Loss, cross_entropy
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.parts import part_of
from subtx_toy.training.trainers import Setup, StackTrainer

NextImages = Callable[[], tuple[Tensor, Tensor]]
"""Returns labelled images ``[n, d]`` and labels ``[n]``, others in every call."""


@dataclass(frozen=True, eq=False)
class Edits:
    """What happens to a gradient, in this order.

    Attributes:
        clip_each: largest norm of an input's own gradient; 0 is none. With ``noise`` the step is that of Abadi et al.
            2016, arXiv:1607.00133, on shuffled batches.
        noise: sd of noise on every entry of the sum over a batch, in units of ``clip_each``.
        rng: draws the noise.
        clip: largest norm of the mean gradient; 0 is none.
        trait: labelled images whose loss gradient is measured in every step; None for none.
        projects: whether the gradient loses its part along that one wherever a step would lower the trait loss.
        frozen: the part that does not move.
    """

    clip_each: float = 0.0
    noise: float = 0.0
    rng: np.random.Generator | None = None
    clip: float = 0.0
    trait: NextImages | None = None
    projects: bool = False
    frozen: str = "nothing"


class EditedTrainer(StackTrainer):
    """The fast route with edited gradients.

    ``cosines`` holds, step by step, the cosine of each member's gradient with the trait's.
    """

    def __init__(
        self, setup: Setup, members: Sequence[Params], loss: Loss, outputs: Sequence[str], *, edits: Edits
    ) -> None:
        super().__init__(setup, members, loss, outputs)
        self._edits, self.cosines = edits, list[list[float]]()
        assert isinstance(setup.model, MLP)
        self._frozen = part_of(setup.model, edits.frozen) if edits.frozen != "nothing" else {}
        self._class = setup.model.columns("class")
        self._views = [self._stack.gradient_views(member) for member in range(len(members))]

    def step(self, x: Float[Tensor, "n d"], targets: Sequence[Tensor]) -> list[float]:
        """Take one optimiser step along the edited gradient; return every member's loss before the step."""
        edits, losses = self._edits, self._differentiate(x, targets)
        if edits.clip_each:
            self._clip_each(x)
        if edits.noise:
            self._add_noise(len(x))
        if edits.clip:
            for views in self._views:
                _scale(views, min(1.0, edits.clip / max(_dot(views, views) ** 0.5, 1e-30)))
        if edits.trait is not None:
            self._compare_with(*edits.trait())
        for views in self._views if self._frozen else ():
            for name, mask in self._frozen.items():
                views[name].masked_fill_(mask, 0.0)
        self._take_step()
        return losses

    def _clip_each(self, x: Float[Tensor, "n d"]) -> None:
        n, outputs = len(x), self._output_gradient[: len(x)]
        norms = self._stack.squared_norms(x, outputs).sqrt() * n  # the output gradient is divided by n
        factors = (self._edits.clip_each / norms.clamp_min(1e-30)).clamp_max(1.0)
        self._stack.forward(x)
        self._stack.backward(x, (outputs.transpose(0, 1) * factors[:, :, None]).transpose(0, 1))

    def _add_noise(self, n: int) -> None:
        edits = self._edits
        assert edits.rng is not None
        sd = edits.noise * edits.clip_each / n
        for views in self._views:
            for value in views.values():
                value += (
                    torch.from_numpy(edits.rng.standard_normal(tuple(value.shape), dtype=np.float32)).to(value.dtype)
                    * sd
                )

    def _compare_with(self, images: Float[Tensor, "n d"], labels: Tensor) -> None:
        """Note the cosines with the gradient of the trait loss, and take it out where a step would lower that loss."""
        own = [{name: value.clone() for name, value in views.items()} for views in self._views]
        logits = self._stack.forward(images)
        slopes = torch.zeros(logits.transpose(0, 1).shape, dtype=logits.dtype).transpose(0, 1)
        for member in range(logits.shape[1]):
            gradient = cross_entropy().output_gradient(logits[:, member, self._class], labels)
            slopes[:, member, self._class] = gradient / len(images)
        self._stack.backward(images, slopes)
        found = []
        for views, mine in zip(self._views, own, strict=True):
            along, length = _dot(views, mine), _dot(views, views)
            found.append(along / max((length * _dot(mine, mine)) ** 0.5, 1e-30))
            share = max(0.0, along) / max(length, 1e-30) if self._edits.projects else 0.0
            for name, value in views.items():
                value.mul_(-share).add_(mine[name])
        self.cosines.append(found)


def _dot(a: Params, b: Params) -> float:
    return float(sum(float((a[name] * b[name]).sum()) for name in a))


def _scale(views: Params, factor: float) -> None:
    if factor < 1.0:
        for value in views.values():
            value.mul_(factor)
