"""Stored trials as files: CSV, Parquet or JSON lines, one row a trial, or one row a point of its learning curves."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from subtx_toy import __version__
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import check_writable, replacing
from subtx_toy.files.json_text import json_text
from subtx_toy.files.terminal_text import encodable
from subtx_toy.results.rows import Selection, columns
from subtx_toy.settings.base import RESULTS_VERSION
from subtx_toy.settings.messages import nearest
from subtx_toy.store import Store
from subtx_toy.store.records import takes_store

ENDINGS = (".parquet", ".csv", ".jsonl")
_AT_ONCE = 500  # records read together: each holds its curves

Columns = dict[str, list[object]]


def export(selection: Selection, path: Path) -> int:
    """Write the selected trials, one row each with the columns of ``columns``; return how many.

    Provenance is in the rows: content key, RESULTS_VERSION and checksum of the data; in Parquet, the package that wrote
    the file is in its metadata under ``subtx_toy``. A file that was there stays until the new one is whole.
    """
    write(columns(selection), path)
    return len(selection.results)


def write(table: Columns, path: Path) -> None:
    """Write columns of equal length to a file, in the format of its ending.

    Raises:
        InputError: if the ending is another one, the file cannot be written, or pyarrow is missing for Parquet.
    """
    check_target(path)
    content = _parquet(table) if path.suffix == ".parquet" else text(table, path.suffix.removeprefix(".")).encode()
    with replacing(path, what="export") as file:
        file.write(content)


def text(table: Columns, style: str) -> str:
    """Return columns as the text of a file: ``csv`` with a header, or ``jsonl``, one JSON table a line.

    In JSON, nan and infinity are null.
    """
    table = _encodable(table)
    rows = zip(*table.values(), strict=True)
    if style == "jsonl":
        return "".join(json_text(dict(zip(table, row, strict=True)), indent=None) + "\n" for row in rows)
    made = io.StringIO(newline="")
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(rows)
    return made.getvalue()


def chosen(table: Columns, selection: Selection, metrics: Sequence[str]) -> Columns:
    """Return the columns without the metrics that are not named; all of them where none is.

    Raises:
        InputError: if there are trials, and none has a metric of that name.
    """
    known = dict.fromkeys(name for row in selection.results for name in row.metrics)
    InputError.gather(
        f"metric: expected one of {', '.join(known)}, got {name!r}{nearest(name, known)}"
        for name in metrics
        if name not in known and selection.results
    )
    return {name: column for name, column in table.items() if not metrics or name not in known or name in metrics}


@takes_store
def curves(store: Store, selection: Selection, *, names: Sequence[str] = ()) -> Columns:
    """Return the learning curves of the selected trials, one row a point.

    ``run_id``, ``protocol``, ``seed``, every setting in which the trials differ, ``series``, ``step`` (0 is the first
    stored point) and ``value``, stored in float32; only the curves ``names``, where some are named.

    Raises:
        InputError: if no selected trial has a curve of that name.
    """
    settings = {number: dict(config) for number, config in selection.settings.items()}
    used = [settings[number] for number in dict.fromkeys(row.config_id for row in selection.results)]
    fields = dict.fromkeys(name for one in used for name in one)
    swept = [name for name in fields if len({repr(one.get(name)) for one in used}) > 1]
    table: Columns = {name: [] for name in ("run_id", "protocol", "seed", *swept, "series", "step", "value")}
    known: dict[str, None] = {}
    rows = selection.results
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        records = store.get([row.run_id for row in part])
        for row in part:
            place = [row.run_id, selection.config(row).protocol, row.seed]
            place += [settings[row.config_id].get(name) for name in swept]
            for series, values in records[row.run_id].series.items():
                known[series] = None
                for step, value in enumerate(values if not names or series in names else []):
                    for column, entry in zip(table.values(), [*place, series, step, value], strict=True):
                        column.append(entry)
    InputError.gather(
        f"metric: expected one of the curves {', '.join(known) or '(there are none)'}, got {name!r}"
        f"{nearest(name, known)}"
        for name in names
        if name not in known
    )
    return table


def check_target(path: Path) -> None:
    """Find out whether a file of that name can be made."""
    if path.suffix not in ENDINGS:
        raise InputError(f"export: expected a name ending in .parquet, .csv or .jsonl, got {str(path)!r}")
    check_writable(path, what="export")
    if path.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ModuleNotFoundError:
            raise InputError(
                "export: expected pyarrow for Parquet, got none; write a .csv, or install it with: pip install pyarrow"
            ) from None


def _encodable(table: Columns) -> Columns:
    return {encodable(name): list(map(encodable, column)) for name, column in table.items()}


def _parquet(table: Columns) -> bytes:
    import pyarrow
    from pyarrow import parquet

    about = {"package": __version__, "results_version": RESULTS_VERSION}
    made = pyarrow.table(_encodable(table)).replace_schema_metadata({"subtx_toy": json.dumps(about)})
    buffer = io.BytesIO()
    parquet.write_table(made, buffer)
    return buffer.getvalue()
