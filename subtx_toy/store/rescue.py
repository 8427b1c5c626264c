"""A fresh file for the records of a database whose own file was taken away."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

from subtx_toy.store.place import absolute
from subtx_toy.store.schema import prepare
from subtx_toy.wording import be, counted


def rescue(path: Path, source: sqlite3.Connection | None, insert: Callable[[sqlite3.Connection], None]) -> str:
    """Save the content of a database next to ``path``, in the temporary folder if that cannot be.

    Args:
        path: where the database was.
        source: an open connection, which still sees everything; None if its content was overwritten.
        insert: adds what is in memory.

    Returns:
        How many records are where, as a part of a sentence; or that nothing could be saved, and why.
    """
    reason = ""
    for folder in (absolute(path).parent, Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            target, num = _save(folder, path, source, insert)
        except (OSError, sqlite3.Error) as error:
            reason = reason or str(error)
            continue
        what = "all that were stored and in memory" if source is not None else "those that were in memory"
        return f"{counted(num, 'record')}, {what}, {be(num)} in {target}; move it to {path} to go on with it"
    return f"its records could not be saved elsewhere: {reason}"


def _save(
    folder: Path, path: Path, source: sqlite3.Connection | None, insert: Callable[[sqlite3.Connection], None]
) -> tuple[Path, int]:
    target = _reserved(folder, path)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{target.name}.") as temporary:
            copy = Path(temporary) / target.name
            with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as made:
                if source is not None:
                    source.backup(made)
                made.execute("PRAGMA journal_mode = DELETE")  # one file, nothing next to it
                made.execute("BEGIN")
                prepare(made)
                insert(made)
                made.execute("DELETE FROM coordinators")
                made.execute("UPDATE trials SET state = 'pending', owner = NULL WHERE state = 'running'")
                made.execute("COMMIT")
                num = int(made.execute("SELECT count(*) FROM runs").fetchone()[0])
            copy.replace(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target, num


def _reserved(folder: Path, path: Path) -> Path:
    """Make an empty file of a name that nothing else has."""
    for number in count(1):
        target = folder / f"{path.stem}.rescued-{number}{path.suffix}"
        with contextlib.suppress(FileExistsError):
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return target
    raise AssertionError
