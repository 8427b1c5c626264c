"""Settings that take a name of the package's own, or an object of the user's as ``file.py:name``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pydantic
from pydantic_core import core_schema

from subtx_toy.errors import InputError
from subtx_toy.files.python_objects import is_reference
from subtx_toy.settings.messages import nearest

ACTIVATION_NAMES = ("relu", "tanh", "gelu", "softplus", "sigmoid")
OPTIMIZER_NAMES = ("adam", "adamw", "sgd", "nesterov", "rmsprop", "sign")
MOMENTUM_OPTIMIZERS = ("sgd", "nesterov")

NOISE_INPUTS = ("uniform", "gaussian")
"""Distillation inputs without content; the others are made of the training images."""


@dataclass(frozen=True)
class NamedOr:
    """Annotates a text: one of ``names``, or ``file.py:name`` or ``module:name`` of what ``own`` describes."""

    names: tuple[str, ...]
    own: str

    @property
    def phrase(self) -> str:
        """What the setting takes, in words."""
        known = ", ".join(repr(name) for name in self.names if name)
        return (f"one of {known}, or " if known else "") + f"{self.own} as file.py:name or module:name"

    def __get_pydantic_core_schema__(self, source: Any, handler: pydantic.GetCoreSchemaHandler) -> Any:
        """Check the text, naming its field; the object is loaded where it is used."""
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def _check(self, text: str, info: Any) -> str:
        if text not in self.names and not is_reference(text):
            hint = nearest(text, self.names)
            raise InputError(f"{info.field_name}: expected {self.phrase}, got {text!r}{hint}")
        return text
