"""What a run shows: tables for people, and a document for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from subtx_toy.files.content_key import finite
from subtx_toy.results.text_table import align, unless_nan
from subtx_toy.stats import Estimate


@dataclass(frozen=True)
class Table:
    """A header and rows of texts, all of one length."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Presentation:
    """The results of one experiment, ready to be shown.

    Attributes:
        heading: lines above the tables.
        tables: one after another.
        notes: lines below them.
        document: the same as JSON values.
    """

    heading: Sequence[str]
    tables: Sequence[Table]
    notes: Sequence[str]
    document: dict[str, Any]

    @property
    def text(self) -> str:
        """Everything as plain text."""
        return "\n".join([*self.heading, *(align(table.header, table.rows) for table in self.tables), *self.notes])


def half_width(value: Estimate, digits: str) -> str:
    """Write the half-width of a 95 % interval; nothing where one seed gives none."""
    half = unless_nan(value.ci95, digits)
    return half and f"±{half}"


def mean_document(value: Estimate) -> dict[str, Any]:
    """Return what a document says of a mean; ``ci95`` is the half-width of its interval."""
    return {"mean": finite(value.mean), "ci95": finite(value.ci95), "n": value.n}
