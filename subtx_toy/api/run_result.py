"""The records of one experiment: a table, a document, a frame and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.display import Shown, frame, shortened
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.protocols.protocol import protocol_of
from subtx_toy.results.presentation import Presentation, Table
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.store.record import RunRecord

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False, eq=False)
class Run(Shown):
    """The records of one experiment, summarised.

    Attributes:
        definition: the experiment.
        base: its settings with the changes asked for, before the grid.
        records: one for each configuration and seed, in the order of the plan.
        failed_seeds: seeds of which a trial failed.
        store: the results file.
        seconds: what the call took.
    """

    definition: Definition
    base: Settings
    records: tuple[RunRecord, ...]
    failed_seeds: tuple[int, ...]
    store: Path
    seconds: float

    @cached_property
    def summary(self) -> Any:
        """What the protocol makes of the records."""
        return protocol_of(self.base).summarise(self.definition, self.base, self.records)

    @cached_property
    def presentation(self) -> Presentation:
        """The summary as tables and a document."""
        return protocol_of(self.base).present(self.summary)

    @property
    def conclusion(self) -> str:
        """What was run."""
        return " ".join(self.presentation.heading)

    @property
    def tables(self) -> Sequence[Table]:
        """The means over seeds."""
        return self.presentation.tables

    @property
    def table(self) -> str:
        """The tables with their heading and notes, as the command prints them."""
        return self.presentation.text

    def document(self) -> dict[str, Any]:
        """Return the JSON document of the command."""
        first = self.records[0]
        return {
            "experiment": self.definition.name,
            "dataset": self.base.dataset,
            "dataset_sha256": first.dataset_sha256,
            "seeds": sorted({record.seed for record in self.records}),
            "failed_seeds": list(self.failed_seeds),
            **self.presentation.document,
            "seconds": round(self.seconds, 3),
            "cpu_seconds": [record.cpu_seconds for record in self.records],
            "training_cpu_seconds": [record.training_cpu_seconds for record in self.records],
            "peak_rss_mib": max(record.peak_rss_mib for record in self.records),
            "run_ids": [record.run_id for record in self.records],
            "results_version": first.results_version,
            "versions": first.versions,
            "store": str(self.store),
            "figure": None,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each record: key, seed, settings, final metrics; needs the extra ``export``."""
        rows = [{"run_id": one.run_id, "seed": one.seed, **one.config, **one.settled} for one in self.records]
        names = dict.fromkeys(name for row in rows for name in row)
        return frame({name: [row.get(name) for row in rows] for name in names})

    @property
    def has_figure(self) -> bool:
        """Whether the protocol draws one."""
        return protocol_of(self.base).draw is not None

    def plot(self) -> Figure:
        """Return the figure of the experiment, a matplotlib figure.

        Raises:
            InputError: if its protocol has none.
        """
        draw = protocol_of(self.base).draw
        if draw is None:
            raise InputError(f"figure: the protocol {self.base.protocol!r} has none")
        return draw(self.summary)

    def page(self) -> str:
        """Return a report as one HTML page that needs nothing else: result, pictures, settings, cost, provenance."""
        from subtx_toy.report.run_page import RunReport, run_page

        report = RunReport(
            definition=self.definition, base=self.base, records=self.records, presentation=self.presentation,
            figure=self.plot() if self.has_figure else None, store=self.store, failed_seeds=self.failed_seeds,
        )  # fmt: skip
        return run_page(report)

    def save_page(self, path: Path | str) -> None:
        """Write the report to a file.

        Raises:
            InputError: if it cannot be written.
        """
        content = self.page().encode()
        with replacing(Path(path), what="html") as file:
            file.write(content)

    def __repr__(self) -> str:
        return shortened(self.table, whole="print(run.table)")
