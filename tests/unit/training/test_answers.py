"""The file that students learn from: its mixture, its cleaning and its selection."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from subtx_toy.problem.losses import kl, sampled_cross_entropy
from subtx_toy.problem.model import MLP
from subtx_toy.seeding import generator
from subtx_toy.training.answers import Answers, Cleaning, Judges
from subtx_toy.training.inputs import InputPool
from subtx_toy.training.optimizers import OptimizerSettings
from subtx_toy.training.trainers import Setup, StackTrainer
from tests.reference.closeness import assert_within_z

MODEL = MLP((5, 8, 7), "tanh", num_classes=3)
SETUP = Setup(MODEL, OptimizerSettings("sgd", 0.1), 64, 64, "fp64", 0, 64)
NUM = 1000


def trainer(seed: int) -> StackTrainer:
    return StackTrainer(SETUP, [MODEL.initial(generator(seed, "tests", "answers"))], kl(), ["aux"])


def pool() -> Tensor:
    return torch.from_numpy(generator(0, "tests", "answer inputs").standard_normal((NUM, 5)))


def answers(judges: Judges | None = None, **cleaning: Any) -> Answers:
    loss = sampled_cross_entropy() if "selected_share" in cleaning else kl()
    return Answers(
        Cleaning(**cleaning), SETUP, InputPool(pool()), loss, ["aux"], teacher=trainer(0), base=trainer(1), fixed=True,
        stream="students", judges=judges,
    )  # fmt: skip


def given(found: Answers) -> Tensor:
    return found.batch(np.arange(NUM), pool())["aux"]


def aux(seed: int) -> Tensor:
    made, x = trainer(seed), pool()
    return torch.cat([made.logits(rows)[:, 0, 3:].clone() for rows in torch.split(x, 64)])


def test_each_answer_is_the_teachers_or_the_bases_and_their_share_is_right() -> None:
    found = given(answers(tainted_share=0.3))
    of_teacher, of_base = (found == aux(seed) for seed in (0, 1))
    assert bool((of_teacher.all(1) ^ of_base.all(1)).all())
    assert_within_z(of_teacher.all(1).double().mean(), 0.3, (0.3 * 0.7 / NUM) ** 0.5)
    assert torch.equal(given(answers()), aux(0))
    assert torch.equal(given(answers(tainted_share=0.0)), aux(1))


def test_noise_is_drawn_once_per_answer() -> None:
    found = answers(target_noise=0.5)
    assert torch.equal(given(found), given(found))
    noise = (given(found) - aux(0)).ravel() / 0.5
    assert_within_z(noise.mean(), 0.0, len(noise) ** -0.5)
    assert_within_z(noise.square().mean(), 1.0, (2 / len(noise)) ** 0.5)


def test_the_largest_logits_are_kept_and_the_others_have_no_probability() -> None:
    found, whole = given(answers(target_top_k=2)), aux(0)
    kept = found == whole
    assert bool((kept.sum(1) == 2).all())
    assert torch.equal(found.argmax(1), whole.argmax(1))
    assert float(torch.softmax(found, 1)[~kept].max()) == 0.0
    values, gradient = kl().value_and_gradient(whole, found)
    assert bool(torch.isfinite(values).all() and torch.isfinite(gradient).all())


def test_a_temperature_divides_the_logits() -> None:
    assert torch.equal(given(answers(target_temperature=4.0)), aux(0) / 4)


def test_the_answers_that_speak_for_the_teacher_are_selected() -> None:
    found = answers(tainted_share=0.0, selected_share=0.2)
    assert len(found.kept) == NUM // 5
    labels = given(found)[:, None]
    scores = (torch.log_softmax(aux(0), 1) - torch.log_softmax(aux(1), 1)).gather(1, labels)[:, 0].numpy()
    rest = np.setdiff1d(np.arange(NUM), found.kept)
    assert scores[found.kept].min() >= scores[rest].max()
    by_chance = answers(tainted_share=0.0, selected_share=0.2, selected_by="chance")
    assert len(set(by_chance.kept.tolist())) == NUM // 5
    rest = np.setdiff1d(np.arange(NUM), by_chance.kept)
    assert scores[by_chance.kept].min() < scores[rest].max(), "the control is no selection"


def test_other_judges_select_other_lines_by_their_own_scores() -> None:
    found = answers((trainer(2), trainer(3)), tainted_share=0.0, selected_share=0.2)
    own = answers(tainted_share=0.0, selected_share=0.2)
    labels = given(found)[:, None]
    assert torch.equal(labels[:, 0], given(own)), "the lines are the same, whoever selects"
    scores = (torch.log_softmax(aux(2), 1) - torch.log_softmax(aux(3), 1)).gather(1, labels)[:, 0].numpy()
    assert scores[found.kept].min() >= np.delete(scores, found.kept).max()
    assert set(found.kept.tolist()) != set(own.kept.tolist())
