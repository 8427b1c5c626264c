"""Stored results as files for other programs: Parquet or CSV, whole or not there at all."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from subtx_toy import __version__
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import check_writable, replacing
from subtx_toy.results.rows import Selection, columns
from subtx_toy.settings.base import RESULTS_VERSION

ENDINGS = (".parquet", ".csv")


def export(selection: Selection, path: Path) -> int:
    """Write the selected trials, one row each with the columns of ``columns``; return how many.

    Provenance is in the rows: content key, RESULTS_VERSION and checksum of the data; in Parquet, the package that wrote
    the file is in its metadata under ``subtx_toy``. A file that was there stays until the new one is whole.
    """
    check_target(path)
    table = columns(selection)
    content = _parquet(table) if path.suffix == ".parquet" else _csv(table)
    with replacing(path, what="export") as file:
        file.write(content)
    return len(selection.results)


def check_target(path: Path) -> None:
    """Find out whether a file of that name can be made."""
    if path.suffix not in ENDINGS:
        raise InputError(f"export: expected a name ending in {' or '.join(ENDINGS)}, got {str(path)!r}")
    check_writable(path, what="export")
    if path.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ModuleNotFoundError:
            raise InputError(
                "export: expected pyarrow for Parquet, got none; write a .csv, or install it with: "
                "pip install 'subtx-toy[export]'"
            ) from None


def _parquet(table: dict[str, list[object]]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    about = {"package": __version__, "results_version": RESULTS_VERSION}
    made = pyarrow.table(table).replace_schema_metadata({"subtx_toy": json.dumps(about)})
    buffer = io.BytesIO()
    parquet.write_table(made, buffer)
    return buffer.getvalue()


def _csv(table: dict[str, list[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue().encode()
