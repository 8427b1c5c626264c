"""Content keys and fingerprints: a digest of a mapping's JSON text, or of blocks of bytes; and JSON's numbers."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping


def content_key(content: Mapping[str, object], *, size: int = 16) -> str:
    """Return the key, of 2 ``size`` hexadecimal digits, of a mapping of finite JSON values, whatever their order.

    >>> content_key({"b": 1, "a": 2}) == content_key({"a": 2, "b": 1})
    True
    """
    return block_key(json.dumps(content, sort_keys=True, allow_nan=False).encode(), size=size)


def seed_keys(content: Mapping[str, object], seeds: Iterable[int]) -> list[str]:
    """Return one key per seed: of ``content`` as JSON without spaces, with ``"seed"`` after every other key.

    What all seeds share is written once, so that the keys of 100,000 trials take a fraction of a second.
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).removesuffix("}")
    return [block_key(f'{text},"seed":{seed}}}'.encode()) for seed in seeds]


def block_key(*blocks: bytes, size: int = 16) -> str:
    """Return the BLAKE2b digest of some bytes, as if the blocks were one.

    >>> block_key(b"ab", b"c") == block_key(b"abc")
    True
    """
    return hashlib.blake2b(b"".join(blocks), digest_size=size).hexdigest()


def seal(content: Mapping[str, object]) -> str:
    """Return the SHA-256 of a mapping's JSON text with sorted keys, for files whose reader has a recipe of its own.

    It guards against accidents, not against forgers. Nan and infinity are written as Python writes them.
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def finite(value: float) -> float | None:
    """Return a number, or None for nan and infinity, which JSON has not.

    >>> finite(0.5), finite(math.nan)
    (0.5, None)
    """
    return value if math.isfinite(value) else None
