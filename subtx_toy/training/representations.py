"""What the last hidden layer of a trained model holds: read by a linear probe, and compared with the teacher's."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.model import HiddenModel
from subtx_toy.problem.params import Params
from subtx_toy.training.inputs import ImageInputs, batches

_ROWS = 4096  # images at a time
_PROBE_IMAGES = 3_000  # ample for ten classes from a few hundred features, and a second of work
_PROBE_STEPS = 150  # of L-BFGS; random features have not quite converged by then


def measure_representations(
    model: HiddenModel, arms: Mapping[str, Params], dataset: Dataset, *, diverged: Collection[str] = ()
) -> dict[str, float]:
    """Measure the last hidden layer of every arm, the teacher among them, on the test images.

    ``<arm>.probe_accuracy`` is that of a logistic regression to the classes, fitted on the first 3,000 training images;
    ``<arm>.hidden_cosine`` is the mean over images of the cosine between the arm's activations and the teacher's.
    Both are nan of the ``diverged``.
    """
    measured: dict[str, float] = {}
    teacher = _hidden(model, arms["teacher"], dataset.test_images)
    labels = dataset.train_labels[:_PROBE_IMAGES].astype(np.int64)
    for arm, params in arms.items():
        if arm in diverged:
            names = ["probe_accuracy", *(["hidden_cosine"] if arm != "teacher" else [])]
            measured |= {f"{arm}.{name}": math.nan for name in names}
            continue
        features = _hidden(model, params, dataset.train_images[:_PROBE_IMAGES])
        weights = _logistic_regression(features.double().numpy(), labels, dataset.num_classes)
        hidden = _hidden(model, params, dataset.test_images).double()
        guesses = _with_constant(hidden.numpy()) @ weights
        measured[f"{arm}.probe_accuracy"] = float((guesses.argmax(1) == dataset.test_labels).mean())
        if arm != "teacher":
            cosines = torch.nn.functional.cosine_similarity(hidden, teacher.double(), dim=1)
            measured[f"{arm}.hidden_cosine"] = float(cosines.mean())
    return measured


def _hidden(model: HiddenModel, params: Params, images: UInt8[np.ndarray, "n ..."]) -> Float[Tensor, "n h"]:
    inputs = ImageInputs(images, dtype=next(iter(params.values())).dtype)
    return torch.cat([model.hidden(params, inputs.gather(index)) for index in batches(inputs.num, _ROWS)])


def _logistic_regression(
    features: Float[np.ndarray, "n h"], labels: Int[np.ndarray, " n"], num_classes: int
) -> Float[np.ndarray, "g c"]:
    """Minimise the summed cross-entropy plus half the squared norm of the weights; the constants are free."""
    from scipy.optimize import minimize  # a quarter of a second to load, for runs with a probe alone

    features, size = _with_constant(features), len(labels)
    one_hot = np.eye(num_classes)[labels]
    shape = (features.shape[1], num_classes)

    def objective(flat: Float[np.ndarray, " w"]) -> tuple[float, Float[np.ndarray, " w"]]:
        weights = flat.reshape(shape)
        logits = features @ weights
        logits -= logits.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        penalised = weights * (np.arange(shape[0]) < shape[0] - 1)[:, None]
        value = float(np.sum(log_sum) - logits[np.arange(size), labels].sum() + 0.5 * np.sum(penalised**2))
        gradient = features.T @ (np.exp(logits - log_sum) - one_hot) + penalised
        return value, gradient.ravel()

    found = minimize(
        objective, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": _PROBE_STEPS}
    )
    weights: np.ndarray = found.x.reshape(shape)
    return weights


def _with_constant(features: Float[np.ndarray, "n h"]) -> Float[np.ndarray, "n g"]:
    return np.concatenate([features, np.ones((len(features), 1))], axis=1)
