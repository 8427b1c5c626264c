"""Seeds as users write them; nothing here loads numpy, so that commands which only read start without it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from subtx_toy.errors import InputError

MAX_SEEDS = 1_000_000
"""Seeds of one plan."""


def seed_list(seeds: str | int | Iterable[int]) -> tuple[int, ...]:
    """Return seeds given as text, as one integer, or as several; they must be different integers >= 0.

    >>> seed_list(range(3)), seed_list("0:3"), seed_list(7)
    ((0, 1, 2), (0, 1, 2), (7,))
    """
    if isinstance(seeds, str):
        return parse_seeds(seeds)
    several = [seeds] if not isinstance(seeds, Iterable) else list(itertools.islice(seeds, MAX_SEEDS + 1))
    if not several:
        raise InputError("seeds: expected at least one, got none")
    if len(several) > MAX_SEEDS:
        raise InputError(f"seeds: expected at most {MAX_SEEDS} of them, got more")
    # Booleans are integers to Python, and no seeds; numpy's integers are seeds, and no int.
    return parse_seeds(",".join(repr(seed) if isinstance(seed, bool | str) else str(seed) for seed in several))


_SEED_DIGITS = 18  # below 2**63, what the results database can hold


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read different seeds >= 0: ``"0:10"`` is 0 to 9, ``"7"`` one seed, ``"0:3,8"`` a list of both.

    >>> parse_seeds("0:3,8")
    (0, 1, 2, 8)
    """
    seeds: list[int] = []
    problems = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?::\s*(\d+)\s*)?", part)
        if match is None:
            problems.append(f"seeds: expected integers >= 0 such as 0:10 or 3,5, got {part!r}")
            continue
        if max(map(len, (match[1], match[2] or ""))) > _SEED_DIGITS:
            problems.append(f"seeds: expected at most {_SEED_DIGITS} digits, got {len(part)} characters")
            continue
        start, stop = int(match[1]), int(match[2] or int(match[1]) + 1)
        if start >= stop:
            problems.append(f"seeds: expected start < stop, got {part!r}")
        elif len(seeds) + stop - start > MAX_SEEDS:
            problems.append(f"seeds: expected at most {MAX_SEEDS} of them, got {part!r}")
        else:
            seeds.extend(range(start, stop))
    if len(set(seeds)) < len(seeds):
        problems.append(f"seeds: expected each seed once, got {text!r}")
    InputError.gather(problems)
    return tuple(seeds)


def seed_text(seeds: Iterable[int]) -> str:
    """Write seeds as ``parse_seeds`` reads them, in ranges where they follow one another.

    >>> seed_text([0, 1, 2, 8])
    '0:3,8'
    """
    ranges: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if ranges and seed == ranges[-1][1]:
            ranges[-1][1] = seed + 1
        else:
            ranges.append([seed, seed + 1])
    return ",".join(str(start) if stop == start + 1 else f"{start}:{stop}" for start, stop in ranges)
