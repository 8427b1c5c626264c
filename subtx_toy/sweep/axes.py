"""The words of a plan: settings with the values they take, alone, together, or drawn at random.

A word is ``width=64,128``, or ``lr=log:1e-4:1e-1:7``, short for ``lr=log(1e-4,1e-1,7)``. A text with commas, colons
or brackets of its own stands in quotes, as in TOML, unless its setting takes any text: ``trait=relabel:4:9``.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import tomli_w

from subtx_toy.errors import InputError
from subtx_toy.settings.base import Settings
from subtx_toy.settings.limits import MAX_VALUES
from subtx_toy.settings.messages import quoted
from subtx_toy.settings.overridable import read_value
from subtx_toy.sweep.axis_values import FUNCTIONS, LAWS, integer_range, tidy

_CALL = re.compile(r"([a-z]+)(?:\((.*)\)|:(.*))")
_PIECE = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'|.""", re.DOTALL)  # a quoted text, or one character
_PLAIN = re.compile(r"[\w.+-]+")  # a text that needs no quotes, unless it reads as another kind of value


@dataclass(frozen=True)
class Axis:
    """Rows of values for settings that change together; ``spaced`` values (linear, log) are rounded to integers."""

    names: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    spaced: bool = False

    @property
    def word(self) -> str:
        """The word that is read as this axis, with its values as they are.

        >>> Axis(("lr", "loss"), ((0.1, "kl"), (0.2, "kl"))).word
        'zip:lr:loss=0.1:kl,0.2:kl'
        """
        name = self.names[0] if len(self.names) == 1 else ":".join(["zip", *self.names])
        return f"{name}={','.join(':'.join(map(written, row)) for row in self.rows)}"

    def settled(self, config: Settings) -> Axis:
        """Return the axis with the values that the settings of ``config`` take, each row once."""
        rows = self.rows
        if self.spaced and _takes_integers(config, self.names[0]):
            rows = tuple((round(row[0]),) for row in rows)  # type: ignore[call-overload]
        return Axis(self.names, tuple({repr(row): row for row in rows}.values()))  # 1 and true differ


@dataclass(frozen=True)
class Drawn:
    """A setting whose values are drawn: ``law`` is uniform, loguniform or choice, with its arguments."""

    name: str
    law: str
    arguments: tuple[object, ...]

    def values(self, config: Settings, *, num: int, seed: int) -> list[object]:
        """Draw ``num`` values, the first of which are those of a smaller ``num``; integers where ``config`` has one."""
        from subtx_toy.seeding import generator  # numpy, which only axes drawn at random need

        streams = [generator(seed, "sweep", self.name, at) for at in range(num)]
        if self.law == "choice":
            return [self.arguments[int(stream.integers(len(self.arguments)))] for stream in streams]
        low, high = self.arguments
        assert isinstance(low, int | float)
        assert isinstance(high, int | float)
        integers = _takes_integers(config, self.name)
        if integers:
            if math.ceil(low) > math.floor(high):
                raise InputError(f"{self.name}: expected LOW:HIGH with an integer between them, got {low}:{high}")
            low, high = math.ceil(low) - 0.5, math.floor(high) + 0.5  # both ends as probable as any other
        if self.law == "loguniform":
            drawn = [math.exp(stream.uniform(math.log(low), math.log(high))) for stream in streams]
        else:
            drawn = [stream.uniform(low, high) for stream in streams]
        return [round(value) if integers else tidy(value) for value in drawn]

    @property
    def word(self) -> str:
        """The word that it was read from."""
        return f"{self.name}={self.text}"

    @property
    def text(self) -> str:
        """The right side of the word that it was read from."""
        return ":".join([self.law, *map(written, self.arguments)])


def read_axis(word: str, config: Settings | None = None) -> Axis | Drawn:
    """Read one word of a plan; ``config`` tells which settings take any text.

    >>> read_axis("depth=range:1:4")
    Axis(names=('depth',), rows=((1,), (2,), (3,)), spaced=False)
    >>> read_axis("zip(lr,batch_size)=1e-3:64,3e-4:32")
    Axis(names=('lr', 'batch_size'), rows=((0.001, 64), (0.0003, 32)), spaced=False)
    """
    key, equals, text = word.partition("=")
    if not equals or not key or not text:
        raise InputError(f"{word!r}: expected setting=values, for example width=64,128")
    call = _CALL.fullmatch(key)
    if call is not None:
        return _zip(word, call[1], _arguments(call), text)
    call = _CALL.fullmatch(text)
    if call is None or (call[1] not in (*FUNCTIONS, *LAWS) and _takes_text(config, key)):
        return Axis((key,), tuple((read_value(part),) for part in _split(text, ",")))
    made = FUNCTIONS.get(call[1])
    arguments = tuple(read_value(part) for part in _arguments(call))
    if made is not None:
        return Axis((key,), tuple((value,) for value in made(word, arguments)), spaced=made is not integer_range)
    if call[1] in LAWS:
        LAWS[call[1]](word, arguments)
        return Drawn(key, call[1], arguments)
    known = ", ".join([*FUNCTIONS, *LAWS])
    raise InputError(f"{word}: expected values, or one of the functions {known}, got {call[1]!r}")


def axis_of(names: str | tuple[str, ...], values: object, config: Settings | None = None) -> Axis | Drawn:
    """Return the axis of a setting, or of several that change together, from Python values.

    >>> axis_of("width", [64, 128])
    Axis(names=('width',), rows=((64,), (128,)), spaced=False)
    """
    if values == "":
        raise InputError(f"{names}: expected at least one value, got ''")
    if isinstance(values, str) and isinstance(names, str):
        return read_axis(f"{names}={values}", config)
    listed = isinstance(values, Iterable) and not isinstance(values, Mapping)
    several = list(itertools.islice(values, MAX_VALUES + 1)) if listed else [values]  # type: ignore[call-overload]
    if len(several) > MAX_VALUES:
        raise InputError(f"{names}: expected at most {MAX_VALUES} values, got more")
    if not several:
        raise InputError(f"{names}: expected at least one value, got none")
    if isinstance(names, str):
        return Axis((names,), tuple((value,) for value in several))
    rows = tuple(tuple(row) if isinstance(row, Iterable) else (row,) for row in several)
    if any(len(row) != len(names) for row in rows):
        raise InputError(f"{', '.join(names)}: expected rows of {len(names)} values, got {quoted(several)}")
    return Axis(tuple(names), rows)


def _arguments(call: re.Match[str]) -> list[str]:
    return _split(call[2], ",") if call[2] is not None else _split(call[3], ":")


def _split(text: str, separator: str) -> list[str]:
    """Split a text at the separators outside of quotes.

    >>> _split("relu,'a,b'", ",")
    ['relu', "'a,b'"]
    """
    parts: list[list[str]] = [[]]
    for piece in _PIECE.findall(text):
        if piece == separator:
            parts.append([])
        else:
            parts[-1].append(piece)
    return ["".join(pieces) for pieces in parts]


def written(value: object) -> str:
    """Write a value so that it is read back, wherever in a word it stands.

    >>> written(True), written("relu"), written("relabel:4:9"), written("3")
    ('true', 'relu', '"relabel:4:9"', '"3"')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    if _PLAIN.fullmatch(value) and read_value(value) == value:
        return value
    return tomli_w.dumps({"value": value}).removeprefix("value = ").removesuffix("\n")


def _zip(word: str, function: str, names: Sequence[str], text: str) -> Axis:
    if function != "zip" or len(names) < 2 or len(set(names)) < len(names):
        raise InputError(f"{word}: expected zip:A:B=... with two or more different settings, got {function!r}")
    rows = [tuple(read_value(part) for part in _split(row, ":")) for row in _split(text, ",")]
    if any(len(row) != len(names) for row in rows):
        raise InputError(f"{word}: expected rows of {len(names)} values with colons between them, got {text!r}")
    return Axis(tuple(name.strip() for name in names), tuple(rows))


def _takes_integers(config: Settings, name: str) -> bool:
    """Return whether a setting takes integers only, to which drawn and spaced values are rounded then."""
    return isinstance(getattr(config, name, None), int) and not isinstance(getattr(config, name), bool)


def _takes_text(config: Settings | None, name: str) -> bool:
    """Return whether a setting takes any text, and not one of some names."""
    field = None if config is None else type(config).model_fields.get(name)
    return field is not None and field.annotation is str
