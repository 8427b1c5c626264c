"""Frozen values by name, checked in the package's own words, that ``SETTING=VALUE`` texts replace."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict

from subtx_toy.errors import InputError
from subtx_toy.settings.limits import MAX_BITS, MAX_DEPTH
from subtx_toy.settings.model_faults import explain
from subtx_toy.settings.toml_file import extent

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class _InOurWords(ModelMetaclass):
    """The constructor's errors in the form of ``parse``; validation inside another model is left alone."""

    def __call__(self, *args: object, **values: Any) -> Any:
        if args:
            raise InputError(f"{self.__name__}: expected values by name, got {args[0]!r}")
        try:
            return super().__call__(**values)
        except pydantic.ValidationError as error:
            raise InputError(*explain(self, error)) from None  # type: ignore[arg-type]


OverridableT = TypeVar("OverridableT", bound="Overridable")  # typing.Self is not understood by the run-time checker


class Overridable(BaseModel, metaclass=_InOurWords):
    """Frozen, validated values by name, which ``SETTING=VALUE`` assignments replace."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @classmethod
    def parse(cls: type[OverridableT], values: Mapping[str, object]) -> OverridableT:
        """Validate ``values``; missing keys take their defaults, and one ``InputError`` names every wrong field."""
        try:
            return cls.model_validate(dict(values))
        except pydantic.ValidationError as error:
            raise InputError(*explain(cls, error)) from None

    def override(self: OverridableT, changes: Mapping[str, object] | Sequence[str]) -> OverridableT:
        """Return these settings with some replaced, by name or as ``SETTING=VALUE`` texts, or report all faults.

        >>> from subtx_toy.settings.distillation import RunConfig
        >>> RunConfig().override(["width=64", "loss=squared_error"]).width
        64
        """
        values, problems = (changes, []) if isinstance(changes, Mapping) else read_assignments(changes)
        try:
            changed = self.changed(values)
        except InputError as error:
            raise InputError(*problems, *error.problems) from None
        InputError.gather(problems)
        return changed

    def changed(self: OverridableT, values: Mapping[str, object]) -> OverridableT:
        """Return this configuration with some values in the place of its own."""
        return self.parse(self.model_dump() | dict(values))


def read_assignments(texts: Iterable[str]) -> tuple[dict[str, object], list[str]]:
    """Read ``SETTING=VALUE`` texts; return the values by key, and what is wrong with the others.

    >>> read_assignments(["width=64", "loss=kl", "lr"])
    ({'width': 64, 'loss': 'kl'}, ["'lr': expected SETTING=VALUE, for example width=128"])
    """
    values: dict[str, object] = {}
    problems = []
    for assignment in texts:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            problems.append(f"{assignment!r}: expected SETTING=VALUE, for example width=128")
        elif key in values:
            problems.append(f"{key}: expected one value, got a second one, {text!r}")
        else:
            values[key] = read_value(text)
    return values, problems


def read_value(text: str) -> object:
    """Read one value as TOML would, or as a number such as ``.5``; anything else is a plain string.

    >>> read_value("3e-4"), read_value(".5"), read_value("true"), read_value("glyphs")
    (0.0003, 0.5, True, 'glyphs')
    """
    if "\n" in text or text.count(".") > 1000:  # several lines of TOML, or a key that takes it minutes
        return text
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # not TOML, thousands of digits, or thousands of brackets
        pass
    else:
        depth, bits = extent(value)
        return value if depth <= MAX_DEPTH and bits <= MAX_BITS else text
    try:
        number = float(text)
    except ValueError:
        return text
    return text if math.isinf(number) and "0" <= text[-1] <= "9" else number  # of more digits than a number has
