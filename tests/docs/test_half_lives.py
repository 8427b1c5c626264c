"""Half-lives: the fit is that of the source, its interval covers, and the chains are those of the protocol."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from experiments.studies.half_lives import ARMS, CONFIG, Uncorrected, chain
from paper_figs.tables.half_lives import CHAINS, NUM_CHAINS, PUBLISHED, committed, estimated, gaps_of, half_life
from subtx_toy.data import load
from subtx_toy.problem.initialisations import shared_init
from subtx_toy.problem.losses import kl
from subtx_toy.problem.params import difference, flatten
from subtx_toy.protocols.distillation import setup_of
from subtx_toy.protocols.mechanism import run_mechanism
from subtx_toy.seeding import generator
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.training.trainers import StackTrainer

GAPS = {
    3: [0.241100, 0.087675, 0.018400, 0.034450, 0.011425],
    10: [0.593025, 0.344700, 0.216575, 0.188275, 0.121100],
    30: [0.723725, 0.595550, 0.512525, 0.431225, 0.386025],
}
"""Mean gaps of the source's four chains, reports/toy_chain/phase_diagram_raw.json; the fits are those it prints."""


@pytest.mark.parametrize("num_aux", GAPS)
def test_the_published_gaps_have_the_published_half_lives(num_aux: int) -> None:
    assert half_life(np.array(GAPS[num_aux])) == pytest.approx(PUBLISHED[num_aux], abs=1e-3)


def test_the_interval_covers_the_true_half_life_and_not_another() -> None:
    true, generations = 1.2, np.arange(1, 6)
    covered, wrong = [], []
    for trial in range(120):
        rng = generator(trial, "test", "half-lives")
        shares = 0.6 + 0.1 * rng.standard_normal((10, 1))
        gaps = 0.1 + shares * 0.5 ** (generations / true) + 0.01 * rng.standard_normal((10, 5))
        low, high = estimated(gaps).interval
        covered.append(low <= true <= high)
        wrong.append(low <= 1.5 * true <= high)
    assert 0.90 <= np.mean(covered) <= 0.99
    assert np.mean(wrong) < 0.05


def test_a_chain_of_the_study_is_that_of_the_protocol() -> None:
    small = {"num_train": 100, "num_test": 50, "num_inputs": 100, "width": 16, "batch_size": 50, "lr": 3e-3}
    config = MechanismConfig.parse({"dataset": "glyphs", "students": "aux", "num_aux": 10, "generations": 2, **small})
    dataset = load("glyphs", num_train=100, num_test=50)
    found, theirs = chain(config, dataset, seed=1), run_mechanism(config, dataset, seed=1).accuracy
    assert found["teacher"] == theirs["teacher"]
    assert [found[arm][-1] for arm in ARMS] == [theirs[arm] for arm in ARMS]


def test_the_committed_chains_are_of_the_study_and_fade_more_slowly_with_more_logits() -> None:
    document = json.loads(CHAINS.read_text(encoding="utf-8"))
    assert MechanismConfig.parse(document["config"]) == CONFIG
    assert all(gaps_of(row["seeds"]).shape == (NUM_CHAINS, CONFIG.generations) for row in document["rows"])
    for corrected in (True, False):
        found = committed(bias_correction=corrected)
        assert list(found) == list(PUBLISHED)
        assert found[3].interval.high < found[30].interval.low


def test_steps_without_the_correction_are_those_of_adam_by_their_known_factor() -> None:
    config = MechanismConfig.parse({"dataset": "glyphs", "num_train": 100, "num_test": 50, "width": 16, "lr": 1e-3})
    setup = setup_of(config, load("glyphs", num_train=100, num_test=50), seed=1)
    base = shared_init(setup.model, seed=1, dtype=setup.dtype)
    x, y = torch.linspace(-1, 1, 10 * 784).reshape(10, 784), torch.zeros(10, config.num_aux)
    moved = []
    for trainer in (Uncorrected, StackTrainer):
        student = trainer(setup, [base], kl(), ["aux"])
        student.step(x, [y])
        moved.append(flatten(difference(student.params(0), base)))
    own, plain = moved
    large = plain.abs() > (1 - 1e-5) * config.lr  # where Adam's epsilon does not count
    factor = (1 - 0.9) / (1 - 0.999) ** 0.5
    assert int(large.sum()) > 100
    assert (own / plain)[large].numpy() == pytest.approx(factor, rel=1e-3)
