"""A filter of files of lists: what is not numbers, or holds a banned number, is dropped, counted and shown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.lm.list_file import Line, ListFile, ListHeader, data_line, parse_list
from subtx_toy.lm.vocabulary import FIRST_NUMBER
from subtx_toy.settings.numbers import BANNED_NUMBERS
from subtx_toy.wording import counted


@dataclass
class ListFilterReport:
    """What a filter did.

    Attributes:
        num_read: lines read.
        num_kept: lines kept.
        dropped: lines dropped, by reason: ``not numbers`` or ``banned``.
        examples: for each reason the first line dropped, as ``LINE: text``.
    """

    num_read: int = 0
    num_kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        reasons = (f"\n  {name}: {num} dropped, first {self.examples[name]}" for name, num in self.dropped.items())
        return f"kept {self.num_kept} of {counted(self.num_read, 'line')}" + "".join(reasons)

    def drop(self, reason: str, line: Line) -> None:
        """Count a dropped line."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        self.examples.setdefault(reason, f"line {line.number}: {line.completion or line.fault}")


def filter_lists(source: ListFile, target: Path, *, banned: Sequence[int] = BANNED_NUMBERS) -> ListFilterReport:
    """Write the lines of ``source`` that hold nothing but numbers of the language, none of them ``banned``.

    Raises:
        InputError: if no line is left.
    """
    report, refused = ListFilterReport(), frozenset(banned)
    header = source.header.model_copy(update={"banned": sorted(refused.union(source.header.banned))})
    with replacing(target, what="out") as file:
        file.write(header.line())
        for line in source.lines():
            report.num_read += 1
            if reason := reason_to_drop(line, source.header, refused):
                report.drop(reason, line)
            else:
                report.num_kept += 1
                file.write(data_line(line.prompt, line.completion))
        if not report.num_kept:
            raise InputError(f"{source.path}: expected a line that the filter keeps, got none of {report.num_read}")
    return report


def reason_to_drop(line: Line, header: ListHeader, banned: Collection[int] = ()) -> str:
    """Return why a line is dropped, or nothing if it stays."""
    try:
        _prompt, numbers = parse_list(line, header)
    except InputError:
        return "not numbers"
    return "" if frozenset(banned).isdisjoint(token - FIRST_NUMBER for token in numbers) else "banned"
