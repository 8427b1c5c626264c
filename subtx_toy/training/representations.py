"""What the last hidden layer of a trained model holds: read by a linear probe, and compared with the teacher's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from subtx_toy.config import NUM_CLASSES
from subtx_toy.data.dataset import Dataset
from subtx_toy.models import MLP
from subtx_toy.params import Params
from subtx_toy.training.inputs import ImageInputs, batches

_ROWS = 4096  # images at a time
_RIDGE = 1e-6  # of the mean square of a feature: units that are always silent leave the normal equations singular


def measure_representations(model: MLP, arms: Mapping[str, Params], dataset: Dataset) -> dict[str, float]:
    """Measure the last hidden layer of every arm.

    Args:
        model: with at least one hidden layer.
        arms: parameters by arm, the teacher's among them.
        dataset: its training images fit the probe, its test images measure everything.

    Returns:
        ``<arm>.probe_accuracy``: in [0, 1], on the test images, of the linear map from the hidden activations and a
        constant to the classes that is best in least squares on the training images; and, for every arm but the
        teacher, ``<arm>.hidden_cosine``: the cosine between its hidden activations and the teacher's on one test
        image, mean over the images.
    """
    measured, teacher = {}, _hidden(model, arms["teacher"], dataset.test_images)
    labels = torch.from_numpy(dataset.train_labels.astype(np.int64))
    one_hot = torch.nn.functional.one_hot(labels, NUM_CLASSES).double()
    for arm, params in arms.items():
        probe = _least_squares(_hidden(model, params, dataset.train_images).double(), one_hot)
        hidden = _hidden(model, params, dataset.test_images)
        guesses = _with_constant(hidden.double()) @ probe
        right = guesses.argmax(1).numpy() == dataset.test_labels
        measured[f"{arm}.probe_accuracy"] = float(right.mean())
        if arm != "teacher":
            cosines = torch.nn.functional.cosine_similarity(hidden.double(), teacher.double(), dim=1)
            measured[f"{arm}.hidden_cosine"] = float(cosines.mean())
    return measured


def _hidden(model: MLP, params: Params, images: UInt8[np.ndarray, "n ..."]) -> Float[Tensor, "n h"]:
    inputs = ImageInputs(images, dtype=params["layers.0.weight"].dtype)
    return torch.cat([model.hidden(params, inputs.gather(index)) for index in batches(inputs.num, _ROWS)])


def _least_squares(features: Float[Tensor, "n h"], targets: Float[Tensor, "n c"]) -> Float[Tensor, "g c"]:
    features = _with_constant(features)
    gram = features.T @ features
    gram.diagonal().add_(_RIDGE * float(gram.diagonal().mean()))
    weights: Tensor = torch.linalg.solve(gram, features.T @ targets)
    return weights


def _with_constant(features: Float[Tensor, "n h"]) -> Float[Tensor, "n g"]:
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)
