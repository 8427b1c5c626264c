"""The file that students learn from: who answered each input, how the answers were cleaned, and which were kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from subtx_toy.problem.losses import Loss, sample_labels
from subtx_toy.seeding import generator
from subtx_toy.training.inputs import Inputs, batches
from subtx_toy.training.trainers import Setup, Trainer

Judges = tuple[Trainer, Trainer]
"""Whose log-probabilities select lines: a trained net, and the one it came from; their first members answer."""

_NEVER = -1e4  # a logit whose softmax is 0 in every precision, and whose products with 0 are no nan


@dataclass(frozen=True)
class Cleaning:
    """What is done to the answers; the fields are the settings of a run of the same names."""

    tainted_share: float = 1.0
    selected_share: float = 1.0
    selected_by: str = "score"
    target_noise: float = 0.0
    target_temperature: float = 1.0
    target_top_k: int = 0


class Answers:
    """Answers by subset of the outputs; of a ``fixed`` pool given once, so that their noise does not average out.

    ``teacher`` and ``base``, the untrained teacher, are trainers whose first member answers. ``kept`` holds the places
    of the inputs that were selected, by the scores of ``judges``, by default these two. ``stream`` names what is drawn
    here besides the seed.
    """

    def __init__(
        self, cleaning: Cleaning, setup: Setup, inputs: Inputs, loss: Loss, outputs: Sequence[str], *,
        teacher: Trainer, base: Trainer, fixed: bool, stream: str, judges: Judges | None = None,
    ) -> None:  # fmt: skip
        self._cleaning, self._loss, self._teacher, self._base = cleaning, loss, teacher, base
        self._judges = judges or (teacher, base)
        self._columns = {name: setup.model.columns(name) for name in sorted(set(outputs))}
        more = () if stream == "students" else (stream,)  # the reference protocol's own labels
        self._labels = {name: generator(setup.seed, "labels", name, *more) for name in self._columns}
        self._size, self._seed, self._stream = setup.num_rows, setup.seed, stream
        self._pool: dict[str, Tensor] = {}
        self.kept = np.arange(inputs.num)
        if fixed:
            self._fill(inputs)

    def batch(self, index: Int[np.ndarray, " n"], x: Float[Tensor, "n d"]) -> dict[str, Tensor]:
        """Return the answers to the inputs ``x``, which stand at ``index`` of the pool."""
        if self._pool:
            at = torch.from_numpy(index)
            return {name: answers[at] for name, answers in self._pool.items()}
        return self._given(self._mixed(x, None) / self._cleaning.target_temperature)

    def _fill(self, inputs: Inputs) -> None:
        share, num = self._cleaning.tainted_share, inputs.num
        tainted = torch.from_numpy(generator(self._seed, "answers", "tainted", self._stream).random(num) < share)
        parts = list(batches(num, self._size))
        z = torch.cat([self._mixed(inputs.gather(index), tainted[torch.from_numpy(index)]) for index in parts])
        z = z / self._cleaning.target_temperature
        if sd := self._cleaning.target_noise:
            noise = generator(self._seed, "answers", "noise", self._stream).standard_normal(tuple(z.shape))
            z = z + sd * torch.from_numpy(noise).to(z.dtype)
        self._pool = self._given(z)
        if self._cleaning.selected_share < 1.0:
            self.kept = self._selected(inputs)

    def _mixed(self, x: Float[Tensor, "n d"], tainted: Tensor | None) -> Float[Tensor, "n k"]:
        """Return the teacher's logits, and the untrained teacher's where an answer is not ``tainted``."""
        share = self._cleaning.tainted_share
        if share == 0.0:
            return self._base.logits(x)[:, 0].clone()
        z = self._teacher.logits(x)[:, 0].clone()
        if share == 1.0 or tainted is None:
            return z
        return torch.where(tainted[:, None], z, self._base.logits(x)[:, 0])

    def _given(self, z: Float[Tensor, "n k"]) -> dict[str, Tensor]:
        """Return what is written down of some logits: these, the largest of them, or one label drawn from them."""
        given = {}
        for name, columns in self._columns.items():
            own = z[:, columns]
            k = self._cleaning.target_top_k
            if 0 < k < own.shape[1]:
                lowest = own.topk(k, dim=1).values[:, -1:]
                own = torch.where(own >= lowest, own, torch.full_like(own, _NEVER))
            if self._loss.targets == "labels":
                own = sample_labels(own, self._labels[name], temperature=self._loss.temperature)
            given[name] = own
        return given

    def _selected(self, inputs: Inputs) -> Int[np.ndarray, " n"]:
        """Return the places of the answers that are kept, in order: of the highest scores, or by chance."""
        num = max(1, round(self._cleaning.selected_share * inputs.num))
        if self._cleaning.selected_by == "chance":
            rng = generator(self._seed, "answers", "selected", self._stream)
            return np.sort(rng.choice(inputs.num, size=num, replace=False))
        ((name, labels),) = self._pool.items()
        scores = []
        for index in batches(inputs.num, self._size):
            x, drawn = inputs.gather(index), labels[torch.from_numpy(index)][:, None]
            own, other = (
                torch.log_softmax(trainer.logits(x)[:, 0, self._columns[name]], -1).gather(1, drawn)[:, 0].clone()
                for trainer in self._judges
            )
            scores.append(own - other)
        return np.sort(np.argsort(-torch.cat(scores).numpy(), kind="stable")[:num])
