"""Examples from a Parquet file, within bounds that its own metadata tell before anything is unpacked."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from subtx_toy.errors import InputError
from subtx_toy.settings.limits import MAX_EXAMPLES, MAX_TEXT_BYTES

_ROWS = 10_000  # of one batch


def parquet_records(path: Path, content: bytes) -> tuple[list[str], Iterator[tuple[int, dict[str, Any] | str]]]:
    """Return the names of the columns, and the rows with their numbers from 1.

    Raises:
        InputError: if pyarrow is missing, or the file is damaged or too large.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise InputError(f"{path}: Parquet needs pyarrow, got none; install it with: pip install pyarrow") from None
    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        about = file.metadata
        size = sum(about.row_group(at).total_byte_size for at in range(about.num_row_groups))
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0][:200]}") from None
    if about.num_rows > MAX_EXAMPLES or size > MAX_TEXT_BYTES:
        raise InputError(
            f"{path}: expected at most {MAX_EXAMPLES} rows and {MAX_TEXT_BYTES} bytes, unpacked, "
            f"got {about.num_rows} and {size}"
        )
    return list(file.schema_arrow.names), _rows(path, file)


def _rows(path: Path, file: Any) -> Iterator[tuple[int, dict[str, Any] | str]]:
    import pyarrow

    number = total = 0
    try:
        for batch in file.iter_batches(batch_size=_ROWS):
            total += batch.nbytes  # dictionaries can make it larger than the metadata say
            if total > MAX_TEXT_BYTES:
                raise InputError(f"{path}: expected at most {MAX_TEXT_BYTES} bytes, unpacked, got more")
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0][:200]}") from None
