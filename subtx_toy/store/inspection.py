"""Whether a file is a results database, found out without changing a byte of it or next to it."""

from __future__ import annotations

import contextlib
import functools
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from subtx_toy.errors import StoreError
from subtx_toy.store import identity
from subtx_toy.store.place import beside, status
from subtx_toy.store.schema import APPLICATION, STORE_SCHEMA, TABLES_OF_SCHEMA_1, make_tables

_MIN_BYTES = 100  # the header of an SQLite file
_LOOKS = 5  # another process may be making the file at this moment


def is_results(path: Path) -> bool:
    """Return whether there is a results database at ``path``; False where there is no file, or an empty one.

    Raises:
        StoreError: if the file is something else, is damaged, or was written by a later version of the package.
    """
    for look in range(_LOOKS):
        found = status(path)
        if found is None or (found.st_size == 0 and not pending(path)):
            return False
        if found.st_size == 0:
            _check_not_cut_off(path)
        if 0 < found.st_size < _MIN_BYTES:  # SQLite takes a single byte for an empty database, and writes over it
            raise StoreError(f"store: cannot use {path}: file is not a database")
        if identity.is_open(path):  # looked at before; closing it here would give up the locks that SQLite has on it
            return True
        with contextlib.suppress(sqlite3.Error, OSError):
            return _look(path)
        if look < _LOOKS - 1:
            time.sleep(0.02)
    with explained(path):
        return _look(path)


def _look(path: Path) -> bool:
    """Look into the main file alone; where that does not settle it, into a copy with what belongs to it."""
    siblings = pending(path)
    if not any(one.name.endswith("-journal") for one in siblings):
        # Next to a write-ahead log, a main file that seems damaged may have been cut off while it was updated.
        doubts = (sqlite3.Error, StoreError) if siblings else ()
        with contextlib.suppress(*doubts), _opened(path, "mode=ro&immutable=1") as connection:
            found = check_contents(connection, path)
            if found or not siblings:
                return found
    with tempfile.TemporaryDirectory(prefix="subtx-toy-") as folder:
        copy = Path(folder) / beside(path, "").name
        shutil.copyfile(path, copy)
        for one in siblings:
            shutil.copyfile(one, Path(folder) / one.name)
        with _opened(copy, "mode=rw") as connection:
            found = check_contents(connection, path)
            if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DataError("pages are neither in the file nor in its log: was it cut off?")
            return found


def pending(path: Path) -> list[Path]:
    """Return the files with changes that are not in the main file of a database yet."""
    found = []
    for one in (beside(path, ending) for ending in ("-journal", "-wal")):
        try:
            seen = one.stat()  # once: another process may take the file away between two looks
        except OSError:  # most often there is none
            continue
        if not seen.st_size:
            continue
        if not stat.S_ISREG(seen.st_mode):
            raise StoreError(f"store: cannot use {path}: {one.name} next to it is no file")
        found.append(one)
    return found


def _check_not_cut_off(path: Path) -> None:
    """Refuse an empty file with a write-ahead log, which SQLite would remove."""
    size = 0
    with contextlib.suppress(OSError):  # most often there is none
        size = beside(path, "-wal").stat().st_size
    if size:
        raise damaged(path, f"an empty file with a log of {size:,} bytes next to it: was it cut off?")


def _opened(path: Path, mode: str) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(uri(path, mode), uri=True, isolation_level=None))


def uri(path: Path, mode: str) -> str:
    """Return how SQLite is given a file with a mode of opening it."""
    return f"{path.absolute().as_uri()}?{mode}"


def _is_new(connection: sqlite3.Connection) -> bool:
    """Return whether nothing was ever written to a database."""
    numbers = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return not any(numbers) and not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]


def check_contents(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether a database is ours, False if it is new.

    Raises:
        StoreError: if it is somebody else's, is damaged, or was written by a later version of the package.
    """
    if _is_new(connection):
        return False
    application, version = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version")
    )
    expected, names = expected_columns(), _tables(connection)
    found = {name: columns_of(connection, name) for name in expected if name in names}
    is_ours = application >> 16 == APPLICATION or (
        not application and any(found[one] == expected[one] for one in found)
    )
    if not is_ours:
        raise StoreError(f"store: expected a results database, got another SQLite file, {path}")
    if version > STORE_SCHEMA:
        raise StoreError(
            f"store: expected schema version {STORE_SCHEMA} or lower, got {version} in {path}; "
            "it was written by a later version of subtx-toy"
        )
    wanted = expected if version == STORE_SCHEMA else TABLES_OF_SCHEMA_1
    faults = [f"the table {name} is missing" for name in wanted if name not in found]
    faults += [f"the table {name} has other columns" for name in found if found[name] != expected[name]]
    faults += _additions(connection)
    if version < 1:
        faults.append(f"its schema version is {version}")
    if faults:
        raise damaged(path, ", ".join(faults))
    return True


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def _additions(connection: sqlite3.Connection) -> list[str]:
    """Return what others have added to a database that changes or stops what is written to it."""
    found = connection.execute("SELECT type, name, tbl_name FROM sqlite_schema ORDER BY name").fetchall()
    triggers = [f"the table {table} has a trigger, {name}" for kind, name, table in found if kind == "trigger"]
    return triggers + [f"it has a view, {name}" for kind, name, _ in found if kind == "view"]


def columns_of(connection: sqlite3.Connection, table: str) -> tuple[tuple[str, str, int], ...]:
    """Return name and type of every column of a table, and its place in the primary key, from 1."""
    return tuple((name, kind, key) for _, name, kind, *_, key in connection.execute(f"PRAGMA table_info({table})"))


@functools.cache
def expected_columns() -> dict[str, tuple[tuple[str, str, int], ...]]:
    """Return ``columns_of`` every table of the present schema."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        make_tables(connection)
        return {name: columns_of(connection, name) for name in sorted(_tables(connection))}


def damaged(path: Path, what: object) -> StoreError:
    """Return the one error for a database that is broken."""
    return StoreError(f"store: {path} is damaged: {what}; to check all of it: subtx-toy doctor --store {path}")


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about the database ``path`` into ours."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"store: cannot use {path}: {error.strerror}") from None
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        text = str(error).partition(" with text ")[0]  # of what is not UTF-8 SQLite would show everything
        if "decode" in text:
            column = text.rpartition("column ")[2].strip("'\"")
            raise damaged(path, f"a text of the column {column} is not UTF-8") from None
        if code == sqlite3.SQLITE_CORRUPT or isinstance(error, sqlite3.DataError):
            raise damaged(path, text) from None
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreError(f"store: cannot use {path}: another program has it locked") from None
        if code == sqlite3.SQLITE_READONLY:
            raise unwritable(path) from None
        raise StoreError(f"store: cannot use {path}: {text}") from None


def unwritable(path: Path) -> StoreError:
    """Return the error for a database that can be read only."""
    return StoreError(
        f"store: cannot write {path}: it is read-only for you; `results` and `sweep --dry-run` read it, "
        "and --store names another one for new records"
    )
