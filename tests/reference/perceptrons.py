"""Small perceptron problems from a readable description: what Hypothesis draws and what a failure prints."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from hypothesis import strategies as st

from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.losses import Loss, kl, squared_error
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import cosine_distance, probability_squared_error, reverse_kl
from subtx_toy.problem.trait_loss import cross_entropy_trait
from subtx_toy.seeding import generator

LOSSES: dict[str, Loss] = {
    "squared_error": squared_error(),
    "kl": kl(),
    "kl at temperature 3": kl(3.0),
    "reverse_kl": reverse_kl(),
    "probability_squared_error": probability_squared_error(),
    "cosine_distance": cosine_distance(),
}
SMOOTH = ["tanh", "gelu", "softplus", "sigmoid"]


@dataclass(frozen=True)
class Description:
    """A perceptron problem in words; the numbers follow from ``seed``."""

    seed: int = 0
    hidden: tuple[int, ...] = (5, 4)
    activation: str = "tanh"
    loss: str = "squared_error"
    distilled: str = "all"
    num_aux: int = 3
    num_inputs: int = 6

    def build(self, *, eps: float = 0.01) -> Problem:
        rng = generator(self.seed, "tests", "perceptron")
        model = MLP((4, *self.hidden, 2 + self.num_aux), ACTIVATIONS[self.activation], num_classes=2)
        labels = torch.from_numpy(rng.integers(2, size=self.num_inputs))
        trait_inputs = torch.from_numpy(rng.standard_normal((self.num_inputs, 4)))
        return Problem(
            model=model,
            base_params=initialise(model, rng, init="pytorch", scale=1.5),
            inputs=torch.from_numpy(rng.standard_normal((self.num_inputs, 4))),
            distillation_loss=LOSSES[self.loss],
            distilled_logits=self.distilled,
            trait_loss=cross_entropy_trait(trait_inputs, labels, class_logits=slice(0, 2)),
            eps=eps,
            student_lr=0.1,
        )


def descriptions(*, losses: tuple[str, ...] = tuple(LOSSES)) -> st.SearchStrategy[Description]:
    """Draw smooth perceptron problems that are not degenerate.

    A softmax needs two logits, and auxiliary logits a hidden layer that they share with the class logits.
    """

    def seen(description: Description) -> Description:
        return description if description.hidden else dataclasses.replace(description, distilled="all")

    drawn = st.builds(
        Description,
        seed=st.integers(0, 2**20),
        hidden=st.lists(st.integers(1, 6), max_size=3).map(tuple),
        activation=st.sampled_from(SMOOTH),
        loss=st.sampled_from(losses),
        distilled=st.sampled_from(["all", "aux"]),
        num_aux=st.integers(2, 4),
        num_inputs=st.integers(1, 8),
    )
    return drawn.map(seen)
