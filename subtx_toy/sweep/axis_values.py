"""The functions that make the values of an axis, and the laws that values are drawn from."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence

from subtx_toy.errors import InputError
from subtx_toy.settings.limits import MAX_VALUES
from subtx_toy.settings.messages import quoted


def integer_range(word: str, arguments: Sequence[object]) -> Sequence[object]:
    """Return the integers of ``range:START:STOP[:STEP]``, without STOP."""
    integers = [value for value in arguments if isinstance(value, int) and not isinstance(value, bool)]
    if len(integers) != len(arguments) or not 2 <= len(integers) <= 3 or (len(integers) == 3 and integers[2] == 0):
        raise InputError(f"{word}: expected range:START:STOP or range:START:STOP:STEP of integers, STEP not 0")
    start, stop, step = (*integers, 1)[:3]
    num = max(0, -((start - stop) // step))  # of integers that have no end, which len() would refuse
    if not 1 <= num <= MAX_VALUES:
        raise InputError(f"{word}: expected 1 to {MAX_VALUES} values, got {quoted(num)}")
    return range(*integers)


def _linear(word: str, arguments: Sequence[object]) -> Sequence[object]:
    low, high, num = _spaced(word, "linear", arguments)
    if math.isinf(high - low):
        raise InputError(f"{word}: expected ends less far apart, got {low:g} and {high:g}")
    return [low + (high - low) * at / (num - 1) for at in range(num - 1)] + [high]


def _log(word: str, arguments: Sequence[object]) -> Sequence[object]:
    low, high, num = _spaced(word, "log", arguments)
    if low <= 0 or high <= 0:
        raise InputError(f"{word}: expected ends > 0, got {low:g} and {high:g}")
    ratio = high / low
    if not 0 < ratio < math.inf:
        raise InputError(f"{word}: expected ends less far apart, got {low:g} and {high:g}")
    inner = [tidy(low * ratio ** (at / (num - 1))) for at in range(1, num - 1)]
    return [low, *inner, high]


def tidy(value: float) -> float:
    """Drop what rounding adds: the middle of 1e-4 to 1e-2 is 1e-3, in the key and on the page.

    >>> tidy(0.0010000000000000002), tidy(1 / 3)
    (0.001, 0.333333333333)
    """
    return float(f"{value:.12g}")


def _spaced(word: str, function: str, arguments: Sequence[object]) -> tuple[float, float, int]:
    numbers = [value for value in arguments if isinstance(value, int | float) and is_number(value)]
    if len(numbers) == len(arguments) == 3:
        low, high, num = numbers
        if isinstance(num, int) and num > MAX_VALUES:
            raise InputError(f"{word}: expected at most {MAX_VALUES} values, got {quoted(num)}")
        if isinstance(num, int) and num >= 2:
            return float(low), float(high), num
    raise InputError(f"{word}: expected {function}:START:STOP:NUMBER with two finite ends and a number >= 2")


def is_number(value: object) -> bool:
    """Return whether a value is a number that a float can hold."""
    largest = sys.float_info.max  # an integer beyond it is no float, and math.isfinite would raise
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= largest


def _check_bounds(word: str, arguments: Sequence[object]) -> None:
    low, high = (*arguments, None, None)[:2]
    if len(arguments) != 2 or not is_number(low) or not is_number(high) or not low < high:  # type: ignore[operator]
        raise InputError(f"{word}: expected LOW:HIGH, two finite numbers with LOW < HIGH")
    if not is_number(high - low):  # type: ignore[operator]
        raise InputError(f"{word}: expected LOW and HIGH less far apart")


def _check_positive(word: str, arguments: Sequence[object]) -> None:
    _check_bounds(word, arguments)
    if not arguments[0] > 0:  # type: ignore[operator]
        raise InputError(f"{word}: expected LOW > 0, got {quoted(arguments[0])}")


def _check_choice(word: str, arguments: Sequence[object]) -> None:
    if len(arguments) < 2:
        raise InputError(f"{word}: expected choice:A:B with two or more values")


FUNCTIONS: Mapping[str, Callable[[str, Sequence[object]], Sequence[object]]] = {
    "range": integer_range,
    "linear": _linear,
    "log": _log,
}
LAWS: Mapping[str, Callable[[str, Sequence[object]], None]] = {
    "uniform": _check_bounds,
    "loguniform": _check_positive,
    "choice": _check_choice,
}
