"""One trial from configuration to record."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest

from subtx_toy.data import Dataset
from subtx_toy.protocols.protocol import run_experiment
from subtx_toy.seeding import generator
from subtx_toy.settings.base import RESULTS_VERSION, run_id
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store.record import RunRecord
from subtx_toy.training.products import Bfloat16Products, RoundedProducts

CONFIG = RunConfig(
    dataset="glyphs", num_train=300, num_test=200, num_inputs=200, batch_size=64, width=24, num_aux=5,
    activation="tanh", teacher_epochs=3, student_epochs=3, lr=3e-3, precision="fp64",
)  # fmt: skip


def _dataset() -> Dataset:
    """Ten noisy prototypes: what it shows does not depend on fonts or downloads."""
    rng = generator(0, "test", "experiment")
    prototypes = rng.integers(0, 128, (10, 28, 28))

    def images(labels: np.ndarray) -> np.ndarray:
        pixels: np.ndarray = (prototypes[labels] + rng.integers(0, 128, (len(labels), 28, 28))).astype(np.uint8)
        return pixels

    train, test = (rng.integers(0, 10, num).astype(np.uint8) for num in (300, 200))
    return Dataset("glyphs", images(train), train, images(test), test, "0" * 64)


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return run_experiment(CONFIG, _dataset(), seed=7)


def test_a_record_says_what_ran_and_what_came_out(record: RunRecord) -> None:
    assert record.run_id == run_id(CONFIG, seed=7, dataset_sha256="0" * 64)
    assert record.results_version == RESULTS_VERSION
    assert record.config == CONFIG.model_dump()
    assert record.seed == 7
    assert {"subtx_toy", "python", "torch", "numpy", "blas"} <= set(record.versions)
    assert list(record.metrics) == [
        f"{arm}.accuracy" for arm in ("reference", "teacher", "student_aux", "student_all", "cross_aux", "cross_all")
    ]
    assert all(0 <= value <= 1 for value in record.metrics.values())
    assert 0 < record.training_cpu_seconds <= record.cpu_seconds
    assert record.peak_rss_mib > 10


def test_curves_begin_at_the_untrained_net_and_end_at_the_arm(record: RunRecord) -> None:
    assert record.series["teacher.accuracy"][0] == record.metrics["reference.accuracy"]
    for arm in ("teacher", "student_aux", "student_all", "cross_aux", "cross_all"):
        assert len(record.series[f"{arm}.loss"]) == 3
        assert len(record.series[f"{arm}.accuracy"]) == 4
        assert record.series[f"{arm}.accuracy"][-1] == record.metrics[f"{arm}.accuracy"]
    assert record.series["teacher.loss"][-1] < record.series["teacher.loss"][0]


def test_a_data_set_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected glyphs with 300 training and 200 test images"):
        run_experiment(CONFIG, dataclasses.replace(_dataset(), name="mnist"), seed=0)


# From this package at RESULTS_VERSION 1, no published value: it changes when the results do, and then the version must.
_DIGESTS = {1: "908e704880309c32"}


def test_results_change_only_with_their_version(record: RunRecord) -> None:
    # Six digits: float64 differs between processors in the last few, and nothing here amplifies that.
    text = repr([[f"{value:.6e}" for value in values] for _name, values in sorted(record.series.items())])
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert digest == _DIGESTS[RESULTS_VERSION], "the numbers of a run changed: bump RESULTS_VERSION and add its digest"


@pytest.mark.parametrize("noise_grid", [False, True])
def test_a_record_says_how_bfloat16_was_multiplied(noise_grid: bool, record: RunRecord) -> None:
    config = RunConfig.parse(CONFIG.model_dump() | {"precision": "bf16", "noise_grid": noise_grid})
    low = run_experiment(config, _dataset(), seed=7)
    assert low.versions["bf16"] in {RoundedProducts.name, Bfloat16Products.name}
    assert "bf16" not in record.versions
    assert low.metrics.keys() == record.metrics.keys()
    # The same seed: the same teacher but for rounding.
    assert low.metrics["teacher.accuracy"] == pytest.approx(record.metrics["teacher.accuracy"], abs=0.03)
