"""Two files, and perhaps a neutral third: whether one writer wrote them, how sure that is, and what differs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from subtx_toy.audit.texts.example import Example
from subtx_toy.audit.two_files.exchange import WITHIN, Exchange, exchange_of
from subtx_toy.audit.two_files.lines import lines_of
from subtx_toy.audit.two_files.power import TokenPower
from subtx_toy.audit.two_files.separation import Separation, TokenDifference, separation, token_differences
from subtx_toy.audit.two_files.statistics import PermutationTest, permutation_test
from subtx_toy.wording import counted, p_equation

LEVEL = 0.01
"""Of the comparison, as of the audit's score tests."""

EXCHANGES = 999
"""Random exchanges: the smallest p-value is .001."""

MIN_LINES = 20
"""Lines of each file below which nothing is said."""


@dataclass(frozen=True)
class FileComparison:
    """Two files against each other.

    Attributes:
        sizes: lines of either file that were compared.
        exchange: how lines were exchanged for the p-value.
        test: the permutation test.
        separation: how well lines and bags of lines are told apart.
        tokens: what differs most.
    """

    sizes: tuple[int, int]
    exchange: Exchange
    test: PermutationTest
    separation: Separation
    tokens: tuple[TokenDifference, ...]

    @property
    def differs(self) -> bool:
        """Whether the files are shown to differ, at LEVEL."""
        return self.test.p_value <= LEVEL

    @property
    def lines_needed(self) -> int | None:
        """The lines of each file that find a difference of this size nine times in ten; None where there is none."""
        return TokenPower(self.test, self.sizes).lines_needed(level=LEVEL)

    @property
    def smallest_effect(self) -> float:
        """The difference, in standard deviations of a line that knows the laws, that these files show with power .9."""
        return TokenPower(self.test, self.sizes).smallest_effect(level=LEVEL)

    @property
    def conclusion(self) -> str:
        """The result in words: that something changed, and never which trait."""
        p_value = p_equation(self.test.p_value)
        if not self.differs and not math.isfinite(self.smallest_effect):
            return f"No difference was found ({p_value}): whichever lines are exchanged, the counts stay the same."
        if not self.differs:
            return (
                f"No difference was found ({p_value}). Files of this size would have shown nine times in ten one of "
                f"about {self.smallest_effect:.2g} standard deviations a line in how often tokens occur, in the eyes "
                "of somebody who knows both writers' laws. Less is not excluded, nor is a difference in anything else."
            )
        text = f"The files differ ({p_value}): one writer under one setting did not write both, or its prompts differ."
        if self.exchange.unit == WITHIN:
            text = f"The files differ ({p_value}): at the same prompts their writers answer differently."
        return f"{text} That something changed is shown, not which trait: an honest change shows as well. {self._size}"

    @property
    def _size(self) -> str:
        size = f"d = {self.separation.effect:.2f} standard deviations of a line's score"
        if self.lines_needed is None:
            return f"The difference is {size}."
        return (
            f"The difference is {size}; files of {counted(self.lines_needed, 'line')} each show one of this size nine "
            "times in ten."
        )

    @property
    def notes(self) -> list[str]:
        """What a reader has to know of the comparison."""
        alone = ", ".join(f"{name} {value:.3f}" for name, value in self.test.p_values.items())
        notes = [
            f"{self.test.exchanges} random exchanges: {self.exchange.words}",
            f"p of each statistic alone: {alone}",
        ]
        if self.separation.is_reversed:
            notes.append(
                "an AUROC below .5 shows no difference here: tokens are spread over the files more evenly than chance "
                "would, as where the lines of each are numbered; leave such numbers out and compare again"
            )
        if self.exchange.unused:
            notes.append(
                f"left out, because the other file lacks their prompt: {counted(self.exchange.unused, 'line')}"
            )
        for name, left in zip(("first", "second"), self.exchange.lines.left_out, strict=True):
            if left:
                notes.append(f"left out, by a hash of its content: {counted(left, f'line of the {name} file')}")
        return notes


def compare_examples(
    first: Sequence[Example], second: Sequence[Example], *, seed: int = 0, top: int = 10
) -> FileComparison:
    """Compare two files; the same files, seed and order give the same result.

    Raises:
        ValueError: if a file has fewer than MIN_LINES lines.
    """
    if min(len(first), len(second)) < MIN_LINES:
        raise ValueError(f"expected at least {MIN_LINES} lines of each file, got {len(first)} and {len(second)}")
    exchange = exchange_of(lines_of(first, second))
    lines = exchange.lines
    num = int(lines.second.sum())
    return FileComparison(
        (len(lines.second) - num, num), exchange, permutation_test(exchange, exchanges=EXCHANGES, seed=seed),
        separation(lines, seed=seed), tuple(token_differences(lines, most=top)),
    )  # fmt: skip
