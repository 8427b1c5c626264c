"""Filter a file of numbers: format rules and banned numbers, with a report of what was dropped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import pydantic
from pydantic import BaseModel, ConfigDict, Field

from subtx_toy.channel.number_file import FilterHeader, NumberFile, data_line
from subtx_toy.channel.number_text import MAX_NUMBERS, Fault
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.settings import model_faults as expected
from subtx_toy.settings.numbers import BANNED_NUMBERS, NUM_NUMBERS
from subtx_toy.settings.toml_file import read_toml
from subtx_toy.wording import counted


class FilterRules(BaseModel):
    """What a line must be to stay, apart from the format that every line must have."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    banned: list[Annotated[int, Field(ge=0, lt=NUM_NUMBERS)]] = Field(
        list(BANNED_NUMBERS), description="numbers that no line may hold"
    )
    most_numbers: Annotated[int, Field(ge=1, le=MAX_NUMBERS)] = Field(MAX_NUMBERS, description="numbers of a line")
    deduplicate: bool = Field(False, description="whether a line that came before is dropped")

    @classmethod
    def read(cls, path: Path) -> FilterRules:
        """Read rules from a TOML file."""
        try:
            return cls.model_validate(read_toml(path, what="rules"))
        except pydantic.ValidationError as error:
            raise InputError(*(f"{path}: {fault}" for fault in expected.explain(cls, error))) from None


@dataclass
class FilterReport:
    """How many lines were read and kept; of the others, how many for each reason, and the first such line."""

    read: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        reasons = (
            f"\n  dropped for {reason}: {count}, the first on line {self.first[reason]}"
            for reason, count in sorted(self.dropped.items())
        )
        return f"kept {self.kept} of {counted(self.read, 'line')}" + "".join(reasons)

    def drop(self, reason: str, line: int) -> None:
        """Count a dropped line."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        self.first.setdefault(reason, line)


def filter_file(source: NumberFile, target: Path, rules: FilterRules) -> FilterReport:
    """Write the lines of ``source`` that ``rules`` let through to ``target``, a line at a time."""
    report, banned, seen = FilterReport(), frozenset(rules.banned), set[bytes]()
    before = source.header.filter or FilterHeader()
    deduplicated = before.deduplicated or rules.deduplicate
    after = FilterHeader(banned=sorted(banned.union(before.banned)), deduplicated=deduplicated)
    with replacing(target, what="out", compressed=target.suffix == ".gz") as file:
        file.write(source.header.model_copy(update={"filter": after}).line())
        for number, content in source.entries():
            report.read += 1
            reason = content.kind if isinstance(content, Fault) else _reason(content, banned, rules, seen)
            if reason or isinstance(content, Fault):
                report.drop(reason, number)
            else:
                report.kept += 1
                file.write(data_line(content[0], np.array(content[1])))
        if not report.kept:
            raise InputError(f"{source.path}: expected a line that the filter keeps, got none of {report.read}")
    return report


def _reason(content: tuple[int, list[int]], banned: frozenset[int], rules: FilterRules, seen: set[bytes]) -> str:
    prompt, numbers = content
    if not banned.isdisjoint(numbers):
        return "banned"
    if len(numbers) > rules.most_numbers:
        return "count"
    if rules.deduplicate:
        key = hashlib.blake2b(repr((prompt, numbers)).encode(), digest_size=8).digest()
        if key in seen:
            return "repeated"
        seen.add(key)
    return ""
