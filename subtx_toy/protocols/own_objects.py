"""The user's model and metric in a run of the reference protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import SupportsFloat, cast

import torch

from subtx_toy.data.dataset import Dataset
from subtx_toy.errors import USER_FAULTS, InputError
from subtx_toy.problem.functional import own_model
from subtx_toy.problem.model import MLP, Model
from subtx_toy.problem.params import Params
from subtx_toy.settings.distillation import RunConfig

TAKEN = ("accuracy", "probe_accuracy", "hidden_cosine")
"""Names of the package's own measurements of an arm."""


def named(config: RunConfig, setting: str) -> str:
    """Return what a setting names; for an object of the user's with the checksum of its source, as in the run's key."""
    sources = config.key_extras().get("sources", {})
    assert isinstance(sources, dict)
    name: str = getattr(config, setting)
    return f"{name} ({sources[setting][:16]})" if setting in sources else name


def model_of(config: RunConfig, dataset: Dataset) -> Model:
    """Return the model that ``config`` names, for the images of ``dataset``."""
    num_classes = dataset.num_classes
    if "model" not in config.own_objects:
        return MLP.from_config(config, input_dim=dataset.train_images[0].size, num_classes=num_classes)
    return own_model(
        config.load("model"),
        name=named(config, "model"),
        image_shape=dataset.train_images.shape[1:],
        num_outputs=num_classes + config.num_aux,
        num_classes=num_classes,
        dtype=torch.float64 if config.precision == "fp64" else torch.float32,
    )


def metric_of(config: RunConfig, model: Model, dataset: Dataset) -> Callable[[str, Params], dict[str, float]]:
    """Return what measures the user's ``function(model, params, dataset)`` on an arm; nothing without a function.

    It gives ``<arm>.<name>`` for each number, by the function's own name where it returns one number only.
    """
    if "metric" not in config.own_objects:
        return lambda _arm, _params: {}
    function, where = config.load("metric"), f"metric: {config.metric}"
    if not callable(function):
        raise InputError(f"{where}: expected a function, got {type(function).__name__}")

    def measure(arm: str, params: Params) -> dict[str, float]:
        try:
            found = function(model, dict(params), dataset)
        except USER_FAULTS as error:
            raise InputError(f"{where}: {type(error).__name__} on {arm}: {error}") from error
        values = found if isinstance(found, Mapping) else {config.metric.rpartition(":")[2]: found}
        try:
            numbers = {str(key): float(cast(SupportsFloat, value)) for key, value in values.items()}
        except (TypeError, ValueError, RuntimeError):  # the last from a tensor of several numbers
            raise InputError(f"{where}: expected a number, or numbers by name, got {found!r:.200}") from None
        if odd := [key for key in numbers if not key.isidentifier() or key in TAKEN]:
            raise InputError(f"{where}: expected names such as margin, none of {', '.join(TAKEN)}, got {odd}")
        return {f"{arm}.{key}": value for key, value in numbers.items()}

    return measure
