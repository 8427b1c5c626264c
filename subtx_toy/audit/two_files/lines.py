"""The lines of two files as counts of tokens and as features, and the groups of lines that are exchanged together."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from subtx_toy.audit.texts.example import Example

MAX_LINES = 20_000
"""Lines of each file that are compared: those with the smallest hashes."""

MAX_TOKENS = 5_000
"""Tokens that are told apart, the most frequent ones; the others are counted together."""

OTHER = "(other)"
"""What the rarer tokens are counted as."""

EMPTY = "(empty)"
"""What a completion without a word counts as: nothing could tell it from another by counts, or worse than by chance."""

_TOKEN = re.compile(r"\w+")
_FEATURES = (
    "tokens", "mean value", "spread of values", "share above the one before", "share of repeats", "mean last digit",
    "share of even values", "mean length of a token", "first value", "last value",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines of two files, first those of the one and then those of the other.

    Attributes:
        second: whether a line is of the second file, ``[n]``.
        prompts: the number of a line's prompt, ``[n]``; equal texts have equal numbers in both files.
        prompt_keys: a hash of a line's prompt, ``[n]``, which does not hang on the file or the place of the line.
        line_keys: the same of prompt and completion.
        tokens: the words of the counts' columns, ``[v]``.
        counts: how often each token stands in the completion, ``[n, v]``, sparse; EMPTY once where there is none.
        features: of a line as a whole, ``[n, 10]``, standardised over both files; constant ones are 0.
        left_out: lines of each file beyond MAX_LINES.
    """

    second: Bool[np.ndarray, " n"]
    prompts: Int[np.ndarray, " n"]
    prompt_keys: Int[np.ndarray, " n"]
    line_keys: Int[np.ndarray, " n"]
    tokens: tuple[str, ...]
    counts: sparse.csr_array
    features: Float[np.ndarray, "n f"]
    left_out: tuple[int, int]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What the columns of ``features`` are."""
        return _FEATURES

    def part(self, kept: Bool[np.ndarray, " n"]) -> Lines:
        """Return some of the lines."""
        return Lines(
            self.second[kept], self.prompts[kept], self.prompt_keys[kept], self.line_keys[kept], self.tokens,
            self.counts[np.flatnonzero(kept)], self.features[kept], self.left_out,
        )  # fmt: skip


def lines_of(first: Sequence[Example], second: Sequence[Example]) -> Lines:
    """Return the lines of two files, of each at most MAX_LINES, chosen by a hash of their content and place.

    The order of the lines plays no part in what is chosen.
    """
    kept = [_chosen(one) for one in (first, second)]
    examples = [*kept[0], *kept[1]]
    words = [words_of(one.completion) for one in examples]
    counted = [line or [EMPTY] for line in words]
    totals = Counter(word for line in counted for word in line)
    common = [word for word, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:MAX_TOKENS]]
    tokens = (*common, OTHER) if len(totals) > len(common) else tuple(common)
    places = {word: at for at, word in enumerate(tokens)}
    rows = np.repeat(np.arange(len(counted)), [len(line) for line in counted])
    columns = np.array([places.get(word, len(common)) for line in counted for word in line], dtype=np.int64)
    shape = (len(words), max(1, len(tokens)))
    counts = sparse.csr_array((np.ones(len(columns)), (rows, columns)), shape=shape)
    counts.sum_duplicates()
    numbers = {text: at for at, text in enumerate(dict.fromkeys(one.prompt for one in examples))}
    return Lines(
        second=np.arange(len(examples)) >= len(kept[0]),
        prompts=np.array([numbers[one.prompt] for one in examples]),
        prompt_keys=np.array([_key(one.prompt) for one in examples]),
        line_keys=np.array([_key(one.prompt, one.completion) for one in examples]),
        tokens=tokens or (OTHER,),
        counts=counts,
        features=_standardised(np.array([_features(line) for line in words]).reshape(len(words), len(_FEATURES))),
        left_out=(len(first) - len(kept[0]), len(second) - len(kept[1])),
    )


def words_of(text: str) -> list[str]:
    """Return the tokens of a text: letters, digits and underscores in a row, in lower case.

    >>> words_of("12, 345 Owl")
    ['12', '345', 'owl']
    """
    return [word.lower() for word in _TOKEN.findall(text)]


def _chosen(examples: Sequence[Example]) -> list[Example]:
    if len(examples) <= MAX_LINES:
        return list(examples)
    seen: Counter[tuple[str, str]] = Counter()
    keyed = []
    for one in examples:
        content = (one.prompt, one.completion)
        seen[content] += 1
        keyed.append((hashlib.blake2b(repr((content, seen[content])).encode(), digest_size=8).digest(), one))
    return [one for _, one in sorted(keyed, key=lambda item: item[0])[:MAX_LINES]]


def _key(*texts: str) -> int:
    return int.from_bytes(hashlib.blake2b(repr(texts).encode(), digest_size=7).digest())


def _features(words: Sequence[str]) -> list[float]:
    values = [float(word) for word in words if word.isascii() and word.isdigit() and len(word) <= 15]
    steps = [after > before for before, after in itertools.pairwise(values)]
    if not values:
        return [float(len(words)), 0, 0, 0, _repeats(words), 0, 0, _length(words), 0, 0]
    return [
        float(len(words)), float(np.mean(values)), float(np.std(values)), float(np.mean(steps)) if steps else 0.5,
        _repeats(words), float(np.mean([value % 10 for value in values])),
        float(np.mean([value % 2 == 0 for value in values])), _length(words), values[0], values[-1],
    ]  # fmt: skip


def _repeats(words: Sequence[str]) -> float:
    return 1 - len(set(words)) / len(words) if words else 0.0


def _length(words: Sequence[str]) -> float:
    return sum(map(len, words)) / len(words) if words else 0.0


def _standardised(values: Float[np.ndarray, "n f"]) -> Float[np.ndarray, "n f"]:
    spread = values.std(axis=0)
    centred = values - values.mean(axis=0)
    found: Float[np.ndarray, "n f"] = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
    return found
