"""Where a results database may lie: paths that can name one, their folders, and the file system below."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import platformdirs

from subtx_toy.errors import InputError, StoreError
from subtx_toy.files.atomic import is_same_file

_NETWORK_FILE_SYSTEMS = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "pvfs2",
    "fuse.sshfs", "fuse.glusterfs",
)  # fmt: skip

# What SQLite or other libraries take for a database that is no file, or not this file.
_NO_PATH = re.compile(r":memory:|file:|[A-Za-z][A-Za-z0-9+.-]*:/|sqlite:", re.IGNORECASE)


def default_path() -> Path:
    """Return where results are kept: SUBTX_TOY_STORE, else a file in the user's data folder.

    Raises:
        StoreError: if SUBTX_TOY_STORE cannot name a file.
    """
    named = os.environ.get("SUBTX_TOY_STORE")
    return file_path(named) if named else platformdirs.user_data_path("subtx-toy") / "results.sqlite"


def file_path(named: str | Path) -> Path:
    """Return the path that ``named`` stands for, ``~`` expanded; it need not exist.

    Raises:
        StoreError: if it cannot be the path of a file, such as an empty text, ``:memory:``, a URI or ``~nobody/x``.
    """
    text = os.fspath(named)
    expected = "store: expected the path of a file"
    if not text or "\0" in text:
        raise StoreError(f"{expected}, got {text!r}" if text else f"{expected}, got an empty text")
    if _NO_PATH.match(text):
        raise StoreError(f"{expected}, got {text!r}; results are kept in a file of their own, named without a scheme")
    if text.endswith("/"):
        raise StoreError(f"{expected}, got the folder {text!r}")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise StoreError(f"{expected}, got {text!r}: there is no such user") from None
    status(path)
    return path


def absolute(path: Path) -> Path:
    """Return the path seen from the root, which stays right if the process changes its folder.

    Raises:
        StoreError: if the path is relative and the present folder has been removed.
    """
    try:
        return path.absolute()
    except OSError:
        raise StoreError(
            f"store: cannot find {path}: the present folder does not exist any more; name the file from the root"
        ) from None


def status(path: Path) -> os.stat_result | None:
    """Return what the system says of a file, or None if there is none.

    Raises:
        StoreError: if it is no regular file, or the system cannot say.
    """
    absolute(path)
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"store: cannot use {path}: {error.strerror}") from None
    if stat.S_ISDIR(found.st_mode):
        raise StoreError(f"store: expected the path of a file, got the folder {str(path)!r}")
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"store: expected a regular file, got a device or pipe, {path}")
    return found


def check_not_the_store(path: Path, output: Path, *, what: str) -> None:
    """Refuse to write the ``output`` of an option ``what`` to the file of the store, under any of its names.

    Raises:
        InputError: if both are one file.
    """
    if is_same_file(path, output):
        raise InputError(f"{what}: expected another file than the store, got the same one, {output}")


def prepare_folder(path: Path) -> None:
    """Make the folder of the database ``path``.

    Raises:
        StoreError: if it cannot be made, or lies on a network file system, where SQLite's locks do not hold.
    """
    folder = absolute(path).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"store: cannot make the folder {path.parent}: {error.strerror}") from None
    check_local(path)


def check_local(path: Path) -> None:
    """Refuse a database on a network file system."""
    kind = file_system(absolute(path).parent)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise StoreError(f"store: expected a local disk, got {path} on a network file system ({kind})")


_MOUNTS = Path("/proc/self/mounts")  # whose names may hold any byte but the blank and the line end


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds ``folder``, as Linux names it; empty where that is unknown."""
    try:
        mounts = _MOUNTS.read_bytes().decode("utf-8", "surrogateescape").split("\n")
        resolved = folder.resolve()
    except (OSError, RuntimeError):
        return ""
    best = ("", "")
    for line in filter(None, mounts):
        _device, point, kind = line.split(" ")[:3]
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)  # a space is \040
        if resolved.is_relative_to(point) and len(point) >= len(best[0]):
            best = point, kind
    return best[1]


def beside(path: Path, ending: str) -> Path:
    """Return a file that SQLite keeps next to a database, such as its ``-wal``: next to what a link points to."""
    real = Path(os.path.realpath(absolute(path)))
    return real.with_name(real.name + ending)


def can_write(path: Path) -> bool:
    """Return whether this process may write the file, and make the files next to it that SQLite needs."""
    return os.access(path, os.W_OK) and os.access(beside(path, "").parent, os.W_OK | os.X_OK)
