"""Arguments of constructors and functions, checked in the form *name: expected ..., got ...*."""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import operator
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from subtx_toy.errors import InputError
from subtx_toy.settings.messages import nearest

F = TypeVar("F", bound=Callable[..., Any])


class Kind(NamedTuple):
    """What an argument may be, in words and as a test; ``hint``, "; ..." or empty, says what to do about another."""

    expected: str
    accepts: Callable[[Any], bool]
    hint: Callable[[Any], str] = lambda _value: ""


def integer(least: int, most: int | None = None) -> Kind:
    """Return the kind of integers >= ``least`` and, where it is given, <= ``most``."""
    if most is None:
        return Kind(f"an integer >= {least}", lambda value: _is_integer(value) and value >= least)
    return Kind(f"an integer from {least} to {most}", lambda value: _is_integer(value) and least <= value <= most)


def number(bound: str) -> Kind:
    """Return the kind of finite numbers with ``bound`` ``">= 0"`` or ``"> 0"``."""
    compare = {">= 0": operator.ge, "> 0": operator.gt}[bound]
    return Kind(f"a finite number {bound}", lambda value: is_real(value) and math.isfinite(value) and compare(value, 0))


def instance(kind: type | types.UnionType, expected: str, hint: Callable[[Any], str] = lambda _value: "") -> Kind:
    """Return the kind of instances of a class."""
    return Kind(expected, lambda value: isinstance(value, kind), hint)


def one_of(words: Iterable[str]) -> Kind:
    """Return the kind of texts that are one of ``words``."""
    known = tuple(words)
    expected = f"one of {', '.join(map(repr, known))}"
    return Kind(expected, lambda value: value in known, lambda value: nearest(str(value), known))


def integers(least: int, expected: str) -> Kind:
    """Return the kind of sequences of integers >= ``least``."""
    one = integer(least)
    return Kind(expected, lambda value: isinstance(value, tuple | list) and all(map(one.accepts, value)))


TEXT = instance(str, "a text")
FUNCTION = Kind("a function", lambda value: callable(value) and not isinstance(value, type))


def checked(**kinds: Kind) -> Callable[[F], F]:
    """Decorate a function or dataclass so that one ``InputError`` names all arguments that it cannot take."""

    def decorate(target: F) -> F:
        parameters = inspect.signature(target).parameters.values()
        defaults = {one.name: one.default for one in parameters if one.kind is not one.VAR_KEYWORD}
        positional = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
        takes_any = len(defaults) < len(parameters)
        call = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
        skipped = int(isinstance(target, type))  # self

        @functools.wraps(call)
        def with_checks(*args: Any, **given: Any) -> Any:
            InputError.gather(_faults(defaults, positional, takes_any, kinds, args[skipped:], given))
            return call(*args, **given)

        if isinstance(target, type):
            target.__init__ = with_checks  # type: ignore[misc]
            return target
        return with_checks  # type: ignore[return-value]

    return decorate


def _faults(
    defaults: dict[str, object],
    positional: list[str],
    takes_any: bool,
    kinds: dict[str, Kind],
    args: tuple[object, ...],
    given: dict[str, object],
) -> Iterator[str]:
    values = dict(zip(positional, args, strict=False)) | given
    if len(args) > len(positional):
        few = f"at most {len(positional)}" if positional else "no"
        yield f"arguments: expected {few} values without a name, got {len(args)}; the names are {', '.join(defaults)}"
    for name in given:
        if name not in defaults and not takes_any:
            yield f"{name}: unknown key{nearest(name, defaults) or '; the names are ' + ', '.join(defaults)}"
        elif name in positional[: len(args)]:
            yield f"{name}: expected one value, got two"
    for name, kind in kinds.items():
        value = values.get(name, defaults[name])
        if value is inspect.Parameter.empty:
            yield f"{name}: expected {kind.expected}, got nothing"
        elif value is not defaults[name] and not kind.accepts(value):
            yield f"{name}: expected {kind.expected}, got {described(value)}{kind.hint(value)}"


def described(value: object) -> str:
    """Name a value in a few words.

    >>> described("kl"), described(math.exp), described(int), described([1.0])
    ("'kl'", 'the function exp', 'the class int', '[1.0]')
    """
    shape, name = getattr(value, "shape", None), getattr(value, "__name__", None)
    if shape is not None and not isinstance(value, type):
        return f"a {type(value).__name__} of shape {tuple(shape)}"
    if name is not None:
        return f"the {'class' if isinstance(value, type) else 'function'} {name}"
    text = repr(value)
    return text if len(text) <= 60 and not text.startswith("<") else f"an object of type {type(value).__name__}"


def is_real(value: object) -> bool:
    """Return whether a value is a real number; truth values are none."""
    return type(value) in (int, float) or (isinstance(value, numbers.Real) and not isinstance(value, bool))


def _is_integer(value: object) -> bool:
    return type(value) is int or (isinstance(value, numbers.Integral) and not isinstance(value, bool))
