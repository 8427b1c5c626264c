"""The user's model and metric in a run of the reference protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import SupportsFloat, cast

import torch

from subtx_toy.data.dataset import Dataset
from subtx_toy.errors import InputError
from subtx_toy.problem.model import MLP, Model
from subtx_toy.problem.own_model import own_model
from subtx_toy.problem.params import Params
from subtx_toy.settings.distillation import RunConfig

_TAKEN = ("accuracy", "probe_accuracy", "hidden_cosine")


def named(config: RunConfig, setting: str) -> str:
    """Return what a setting names; for an object of the user's with the checksum of its source, as in the run's key."""
    sources = config.key_extras().get("sources", {})
    assert isinstance(sources, dict)
    name: str = getattr(config, setting)
    return f"{name} ({sources[setting][:16]})" if setting in sources else name


def model_of(config: RunConfig, dataset: Dataset) -> Model:
    """Return the model that ``config`` names, for the images of ``dataset``.

    Raises:
        InputError: if the user's factory cannot be used.
    """
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


@dataclass(frozen=True)
class Metric:
    """What a user's ``function(model, params, dataset)`` measures; nothing without a function."""

    name: str
    function: Callable[..., object] | None
    model: Model
    dataset: Dataset

    @classmethod
    def of(cls, config: RunConfig, model: Model, dataset: Dataset) -> Metric:
        """Return the metric that ``config`` names.

        Raises:
            InputError: if it cannot be imported or is no function.
        """
        function = config.load("metric") if "metric" in config.own_objects else None
        if function is not None and not callable(function):
            raise InputError(f"metric: {config.metric}: expected a function, got {type(function).__name__}")
        return cls(config.metric, function, model, dataset)

    def measure(self, arm: str, params: Params) -> dict[str, float]:
        """Return ``<arm>.<name>`` for each number, by the function's own name where it gives one number only.

        Raises:
            InputError: if the function fails, or returns something else than numbers by name.
        """
        if self.function is None:
            return {}
        where = f"metric: {self.name}"
        try:
            found = self.function(self.model, dict(params), self.dataset)
        except Exception as error:  # a user's function can raise anything
            raise InputError(f"{where}: {type(error).__name__} on {arm}: {error}") from error
        values = found if isinstance(found, Mapping) else {self.name.rpartition(":")[2]: found}
        try:
            numbers = {str(key): float(cast(SupportsFloat, value)) for key, value in values.items()}
        except (TypeError, ValueError, RuntimeError):  # the last from a tensor of several numbers
            raise InputError(f"{where}: expected a number, or numbers by name, got {found!r:.200}") from None
        if odd := [key for key in numbers if not key.isidentifier() or key in _TAKEN]:
            raise InputError(f"{where}: expected names such as margin, none of {', '.join(_TAKEN)}, got {odd}")
        return {f"{arm}.{key}": value for key, value in numbers.items()}
