"""The words of a plan: settings with the values they take, alone, together, or drawn at random.

A word is ``setting=values``. Values are listed, ``width=64,128``, or made by a function, whose arguments stand in
parentheses or after colons, which a shell does not need quotes for: ``lr=log:1e-4:1e-1:7`` is ``lr=log(1e-4,1e-1,7)``.
A text with commas, colons or brackets of its own stands in quotes, as in TOML; a setting that takes any text needs none
for ``trait=relabel:4:9``, since no function is called that.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import tomli_w

from subtx_toy.errors import InputError
from subtx_toy.seeding import generator
from subtx_toy.settings.base import Settings, read_value

_MOST_VALUES = 1_000_000
_CALL = re.compile(r"([a-z]+)(?:\((.*)\)|:(.*))")
_PIECE = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'|.""", re.DOTALL)  # a quoted text, or one character
_PLAIN = re.compile(r"[\w.+-]+")  # a text that needs no quotes, unless it reads as another kind of value


@dataclass(frozen=True)
class Axis:
    """Settings that change together, and the rows of values they take; an axis of one row sets them.

    ``spaced`` values come from linear or log, and are rounded where a setting takes integers.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    spaced: bool = False

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
        """Draw ``num`` values, the first of which are those of a smaller ``num``; integers where ``config`` has one.

        Raises:
            InputError: if an integer is asked for, and there is none between the ends.
        """
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
        return [round(value) if integers else _tidy(value) for value in drawn]

    @property
    def text(self) -> str:
        """The right side of the word that it was read from."""
        return ":".join([self.law, *map(written, self.arguments)])


def read_axis(word: str, config: Settings | None = None) -> Axis | Drawn:
    """Read one word of a plan; ``config`` tells which settings take any text.

    Raises:
        InputError: if it cannot be read.

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
    if call is None or (call[1] not in (*_FUNCTIONS, *_LAWS) and _takes_text(config, key)):
        return Axis((key,), tuple((read_value(part),) for part in _split(text, ",")))
    made = _FUNCTIONS.get(call[1])
    arguments = tuple(read_value(part) for part in _arguments(call))
    if made is not None:
        return Axis((key,), tuple((value,) for value in made(word, arguments)), spaced=made is not _range)
    if call[1] in _LAWS:
        _LAWS[call[1]](word, arguments)
        return Drawn(key, call[1], arguments)
    known = ", ".join([*_FUNCTIONS, *_LAWS])
    raise InputError(f"{word}: expected values, or one of the functions {known}, got {call[1]!r}")


def _arguments(call: re.Match[str]) -> list[str]:
    return _split(call[2], ",") if call[2] is not None else _split(call[3], ":")


def _split(text: str, separator: str) -> list[str]:
    """Split a text at the separators outside of quotes.

    >>> _split("relu,'a,b'", ",")
    ['relu', "'a,b'"]
    """
    parts = [""]
    for piece in _PIECE.findall(text):
        if piece == separator:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


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


def _range(word: str, arguments: Sequence[object]) -> Sequence[object]:
    integers = [value for value in arguments if isinstance(value, int) and not isinstance(value, bool)]
    if len(integers) != len(arguments) or not 2 <= len(integers) <= 3 or (len(integers) == 3 and integers[2] == 0):
        raise InputError(f"{word}: expected range:START:STOP or range:START:STOP:STEP of integers, STEP not 0")
    made = range(*integers)
    if not 1 <= len(made) <= _MOST_VALUES:
        raise InputError(f"{word}: expected 1 to {_MOST_VALUES} values, got {len(made)}")
    return made


def _linear(word: str, arguments: Sequence[object]) -> Sequence[object]:
    low, high, num = _spaced(word, "linear", arguments)
    return [low + (high - low) * at / (num - 1) for at in range(num - 1)] + [high]


def _log(word: str, arguments: Sequence[object]) -> Sequence[object]:
    low, high, num = _spaced(word, "log", arguments)
    if low <= 0 or high <= 0:
        raise InputError(f"{word}: expected ends > 0, got {low:g} and {high:g}")
    inner = [_tidy(low * (high / low) ** (at / (num - 1))) for at in range(1, num - 1)]
    return [low, *inner, high]


def _tidy(value: float) -> float:
    """Drop what rounding adds: the middle of 1e-4 to 1e-2 is 1e-3, in the key and on the page.

    >>> _tidy(0.0010000000000000002), _tidy(1 / 3)
    (0.001, 0.333333333333)
    """
    return float(f"{value:.12g}")


def _spaced(word: str, function: str, arguments: Sequence[object]) -> tuple[float, float, int]:
    numbers = [value for value in arguments if isinstance(value, int | float) and _is_number(value)]
    if len(numbers) == len(arguments) == 3:
        low, high, num = numbers
        if isinstance(num, int) and 2 <= num <= _MOST_VALUES:
            return float(low), float(high), num
    raise InputError(f"{word}: expected {function}:START:STOP:NUMBER with two finite ends and a number >= 2")


def _is_number(value: object) -> bool:
    largest = sys.float_info.max  # an integer beyond it is no float, and math.isfinite would raise
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= largest


def _check_bounds(word: str, arguments: Sequence[object]) -> None:
    low, high = (*arguments, None, None)[:2]
    if len(arguments) != 2 or not _is_number(low) or not _is_number(high) or not low < high:  # type: ignore[operator]
        raise InputError(f"{word}: expected LOW:HIGH, two finite numbers with LOW < HIGH")


def _check_positive(word: str, arguments: Sequence[object]) -> None:
    _check_bounds(word, arguments)
    if not arguments[0] > 0:  # type: ignore[operator]
        raise InputError(f"{word}: expected LOW > 0, got {arguments[0]}")


def _check_choice(word: str, arguments: Sequence[object]) -> None:
    if len(arguments) < 2:
        raise InputError(f"{word}: expected choice:A:B with two or more values")


_FUNCTIONS: Mapping[str, Callable[[str, Sequence[object]], Sequence[object]]] = {
    "range": _range,
    "linear": _linear,
    "log": _log,
}
_LAWS: Mapping[str, Callable[[str, Sequence[object]], None]] = {
    "uniform": _check_bounds,
    "loguniform": _check_positive,
    "choice": _check_choice,
}


def _takes_integers(config: Settings, name: str) -> bool:
    """Return whether a setting takes integers only, to which drawn and spaced values are rounded then."""
    return isinstance(getattr(config, name, None), int) and not isinstance(getattr(config, name), bool)


def _takes_text(config: Settings | None, name: str) -> bool:
    """Return whether a setting takes any text, and not one of some names."""
    field = None if config is None else type(config).model_fields.get(name)
    return field is not None and field.annotation is str
