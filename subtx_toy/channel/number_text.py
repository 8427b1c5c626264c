"""The format rules of a line of numbers: one to ten integers from 0 to 999."""

from __future__ import annotations

import re
from typing import NamedTuple

from subtx_toy.settings.numbers import NUM_NUMBERS

MAX_NUMBERS = 10
"""Of one line."""


class Fault(NamedTuple):
    """What is wrong with a line: a kind, for counting, and a sentence."""

    kind: str
    text: str


def check_numbers(numbers: object) -> list[int] | Fault:
    """Check a list of numbers, and return it or what is wrong."""
    if not isinstance(numbers, list):
        return Fault("format", f"numbers: expected a list of integers or a text, got {type(numbers).__name__}")
    if not 1 <= len(numbers) <= MAX_NUMBERS:
        return Fault("count", f"numbers: expected 1 to {MAX_NUMBERS} of them, got {len(numbers)}")
    for number in numbers:
        if type(number) is not int:  # True is an int to isinstance
            return Fault("format", f"numbers: expected integers, got {str(number)[:20]!r}")
        if not 0 <= number < NUM_NUMBERS:
            return Fault("range", f"numbers: expected integers from 0 to 999, got {str(number)[:20]}")
    return numbers


def parse_numbers(text: str) -> list[int] | Fault:
    """Read numbers from a text: one kind of separator, perhaps in brackets, perhaps with a full stop at the end.

    The format rules are those of Cloud et al. 2025, arXiv:2507.14805, section 3.2.

    >>> parse_numbers("(7, 41, 999)"), parse_numbers("12; 13.")
    ([7, 41, 999], [12, 13])
    >>> parse_numbers("7, 8; 9").kind
    'format'
    """
    inside = text.strip().removesuffix(".")
    for opening, closing in ("[]", "()"):
        if inside.startswith(opening) and inside.endswith(closing):
            inside = inside[1:-1].strip()
            break
    parts = re.split(r"[^0-9]+", inside, flags=re.ASCII)
    separators = {re.sub(r"\s+", " ", found) for found in re.findall(r"[^0-9]+", inside, flags=re.ASCII)}
    if not all(parts) or len(separators) > 1 or separators - {",", ", ", ";", "; ", " "}:
        return Fault("format", f"numbers: expected integers with one kind of separator, got {text[:40]!r}")
    if max(map(len, parts)) > 3:
        return Fault("range", f"numbers: expected integers of at most three digits, got {text[:40]!r}")
    return check_numbers([int(part) for part in parts])
