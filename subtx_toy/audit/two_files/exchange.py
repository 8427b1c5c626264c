"""Which lines may be exchanged between two files if one writer wrote both, and random exchanges of them.

Lines of one prompt belong together: they are drawn from one law. Where the files share prompts, only lines of the same
prompt are exchanged, so that what differs between the prompts plays no part. Where they share too few, whole prompts
are exchanged, and a difference between the files may be one between their prompts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from subtx_toy.audit.two_files.lines import Lines
from subtx_toy.seeding import generator

MIN_SHARED = 0.5
"""Share of the lines of the smaller file whose prompt the other has too, from which lines are exchanged by prompt."""

WITHIN, WHOLE, LINES = "lines of the same prompt", "whole prompts", "single lines"


@dataclass(frozen=True, eq=False)
class Exchange:
    """How lines are exchanged.

    Attributes:
        unit: WITHIN; where the files share too few prompts, WHOLE, or LINES if neither repeats one; LINES where all
            lines have one prompt, or none.
        lines: those that take part.
        shared: the share of the smaller file's lines whose prompt the other has too.
        unused: lines of either file that take no part, because the other file lacks their prompt.
    """

    unit: str
    lines: Lines
    shared: float
    unused: int

    @property
    def words(self) -> str:
        """What is exchanged, and why."""
        shared = f"{self.shared:.0%} of the smaller file's lines have a prompt of the other"
        if self.unit == WITHIN:
            return f"only {WITHIN} are exchanged; {shared}"
        if self.shared == 1:  # and not WITHIN
            return f"{LINES} are exchanged; all have one prompt, or none"
        return (
            f"{self.unit} are exchanged; {shared}, too few for {WITHIN}, so a difference between the prompts shows too"
        )

    def labels(self, num: int, *, seed: int) -> Float[np.ndarray, "n b"]:
        """Return ``num`` random assignments of the lines to the files, 1 for the second; the same for equal seeds.

        Within prompts, each keeps how many of its lines are in the second file; of whole prompts, how many prompts do.
        """
        rng = generator(seed, "compare", "exchange")
        second, prompts = self.lines.second, self.lines.prompts
        if self.unit == WHOLE:
            owners, places = np.unique(np.stack([prompts, second]), axis=1, return_inverse=True)
            labels = np.stack([rng.permutation(owners[1]) for _ in range(num)], axis=1)
            return np.asarray(labels[places.ravel()], dtype=np.float64)
        strata = prompts if self.unit == WITHIN else np.zeros(len(second), dtype=np.int64)
        order = np.argsort(strata, kind="stable")
        found = np.empty((len(second), num))
        for at in range(num):
            shuffled = np.lexsort((rng.random(len(second)), strata))  # a random order within each stratum
            found[order, at] = second[shuffled]
        return found


def exchange_of(lines: Lines) -> Exchange:
    """Decide from the prompts of two files how their lines are exchanged."""
    first, second = lines.prompts[~lines.second], lines.prompts[lines.second]
    common = np.intersect1d(first, second)
    small = first if len(first) <= len(second) else second
    shared = float(np.isin(small, common).mean())
    if len(np.unique(lines.prompts)) == 1:
        return Exchange(LINES, lines, 1.0, 0)
    if shared >= MIN_SHARED:
        kept: Bool[np.ndarray, " n"] = np.isin(lines.prompts, common)
        return Exchange(WITHIN, lines.part(kept), shared, int((~kept).sum()))
    is_repeated = len(np.unique(first)) < len(first) or len(np.unique(second)) < len(second)
    return Exchange(WHOLE if is_repeated else LINES, lines, shared, 0)
