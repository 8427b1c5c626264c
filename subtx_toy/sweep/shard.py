"""One part of a sweep's trials, for arrays of jobs that know nothing of each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from subtx_toy.errors import InputError, shortened
from subtx_toy.settings.limits import MAX_SHARDS

T = TypeVar("T")
_WRITTEN = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*")


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``num``, counted from 1: every ``num``-th trial of the plan, beginning with the ``index``-th.

    All parts together are the plan, and none overlap. Trials of one configuration and of one seed are spread over the
    parts, so that all of them take about as long.
    """

    index: int
    num: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``3/32``, the third of 32 parts.

        Raises:
            InputError: if it is no such text, or the part is not among them.

        >>> Shard.parse("3/32")
        Shard(index=3, num=32)
        """
        found = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise InputError(f"shard: expected a part such as 3/32, got {shortened(str(text), 60)!r}")
        shard = cls(int(found[1]), int(found[2]))
        if not 1 <= shard.index <= shard.num <= MAX_SHARDS:
            raise InputError(
                f"shard: expected a part from 1/N to N/N with N <= {MAX_SHARDS}, got {text.strip()!r}; "
                "an array of jobs can be numbered from 1"
            )
        return shard

    def of(self, trials: Sequence[T]) -> list[T]:
        """Return the trials of this part.

        >>> Shard(2, 3).of("abcdefg")
        ['b', 'e']
        """
        return list(trials[self.index - 1 :: self.num])
