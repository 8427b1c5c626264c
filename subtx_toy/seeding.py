"""Named, independent random streams: the only source of randomness of the package.

A stream is found by the seed and its labels together, never by ``seed + offset``, so that a record does not
depend on which other seeds ran, in which order, or in how many processes.

The streams are numpy's and not torch's: torch's CPU generator keeps only the low 32 bits of its seed (seeds 1
and 1 + 2**32 give the same numbers, checked in the tests), and among 2**32 streams the 100,000 trials of a
sweep would hold a repeated one with probability .69. Here each stream has 256 bits of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator

import numpy as np

from subtx_toy.errors import InputError

MAX_SEEDS = 1_000_000
"""Seeds of one plan."""


def generator(seed: int, *labels: str | int) -> np.random.Generator:
    """Return the random stream named by ``labels`` under ``seed``.

    The same arguments always give a fresh generator at the start of the same stream; any other arguments
    give an independent one. Labels are compared with their type, so ``"1"`` and ``1`` name two streams.

    Args:
        seed: any integer >= 0.
        labels: what the numbers are for, from the general to the particular.

    Raises:
        ValueError: if ``seed`` is negative.

    >>> bool(generator(0, "init").random() == generator(0, "init").random())
    True
    >>> bool(generator(0, "init").random() == generator(0, "noise").random())
    False
    """
    if seed < 0:
        raise ValueError(f"seed: expected an integer >= 0, got {seed}")
    # repr() of a tuple separates the labels without ambiguity: ("a", "b") and ("a, b",) differ.
    name = repr((int(seed), *(label if isinstance(label, str) else int(label) for label in labels))).encode()
    entropy = _words(hashlib.blake2b(name, digest_size=32, person=b"subtx_toy").digest())
    # SFC64 is the fastest of numpy's generators here: 60,000 x 784 uniform float32 in .16 s against .65 s of PCG64.
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))


def _words(digest: bytes) -> np.ndarray | int:
    # What numpy makes of the integer itself, in half the time; of an integer it leaves out highest words of zero.
    words = np.frombuffer(digest, "<u4")
    return words if words[-1] else int.from_bytes(digest, "little")


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


@contextlib.contextmanager
def torch_stream(rng: np.random.Generator) -> Iterator[None]:
    """Let torch's CPU generator draw from ``rng`` inside the block, for code that takes no stream; undone on leaving.

    One of torch's 2**32 streams is drawn from ``rng``, so two seeds can share one, unlike streams of ``generator``.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**32)))
        yield


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
