"""A protocol of your own: how well does ridge regression on the pixels read the digits?

subtx-toy run examples/own_protocol.toml --seeds 0:5
subtx-toy sweep examples/own_protocol.toml penalty=1,10,100 num_shown=100,400
subtx-toy results summary examples/own_protocol.toml penalty=1,10,100 num_shown=100,400
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

import subtx_toy as st
from subtx_toy.settings.base import Count, Positive, Settings


class RidgeSettings(Settings):
    """What decides the result, apart from the seed; ``dataset``, ``num_train`` and ``num_test`` are there already."""

    protocol: ClassVar[str] = "ridge"

    num_shown: Count = Field(200, description="training images that the regression sees, drawn at random")
    penalty: Positive = Field(10.0, description="factor on the squared norm of the weights")


def run(settings: RidgeSettings, dataset: st.Dataset, *, seed: int) -> st.Measurement:
    """Fit the regression to one-hot labels, and measure it on the test images."""
    rng = st.generator(seed, "ridge", "images")  # named streams are the only source of randomness
    shown = rng.permutation(len(dataset.train_images))[: settings.num_shown]
    x, labels = _pixels(dataset.train_images[shown]), dataset.train_labels[shown]
    targets = np.eye(dataset.num_classes)[labels]
    weights = np.linalg.solve(x.T @ x + settings.penalty * np.eye(x.shape[1]), x.T @ targets)
    answers = (_pixels(dataset.test_images) @ weights).argmax(1)
    return st.Measurement({"ridge.accuracy": float((answers == dataset.test_labels).mean())})


def _pixels(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) / 127.5 - 1.0


RIDGE = st.Protocol(name="ridge", settings=RidgeSettings, run=run)
