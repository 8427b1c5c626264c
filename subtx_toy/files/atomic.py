"""The one door for files out: a file is there whole or not at all, and what is no file is never replaced by one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gzip
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from subtx_toy.errors import InputError
from subtx_toy.files.descriptors import own_descriptor

_PACKAGE = Path(__file__).parents[1]

READER_SECONDS = 10.0
"""How long a named pipe is given to find a reader."""


class _Target(NamedTuple):
    """Where a path leads: a regular file that was ``found`` or none yet, or something to write to directly."""

    path: Path
    found: os.stat_result | None = None
    direct: bool = False
    descriptor: int | None = None


def check_writable(path: Path, *, what: str) -> None:
    """Find out before some work whether ``replacing`` could write ``path``; an error names the option ``what``.

    Files that come with the package are refused.
    """
    _check_not_shipped(path, what)
    try:
        target = _target(path, what)
        if not target.direct:  # the mode of a folder does not tell, least of all to root
            descriptor, temporary = _temporary(target.path)
            os.close(descriptor)
            temporary.unlink()
    except OSError as error:
        raise _unwritable(path, what, error) from None


def is_same_file(path: Path | str, other: Path | str) -> bool:
    """Return whether two names, which may be links, are of one file, or would be if it existed."""
    with contextlib.suppress(OSError, ValueError):  # one of them does not exist, or cannot
        return os.path.realpath(path) == os.path.realpath(other) or os.path.samefile(path, other)
    return False


def check_not_read(path: Path | str, read: Iterable[object], *, what: str) -> None:
    """Refuse to write over a file that is ``read``, under any of its names; of ``file.py:name`` it is the file.

    Files that come with the package, such as its base, are refused as well.

    Raises:
        InputError: naming the option ``what``.
    """
    _check_not_shipped(Path(path), what)
    for one in read:
        for name in (str(one), str(one).rpartition(":")[0]):
            if os.path.isfile(path) and is_same_file(path, name):
                raise InputError(f"{what}: expected another file than the input {name!r}, got {str(path)!r}")


def _check_not_shipped(path: Path, what: str) -> None:
    if os.path.isfile(path) and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(_PACKAGE)):
        raise InputError(f"{what}: expected another file than one of the package's own, got {str(path)!r}")


@contextlib.contextmanager
def replacing(path: Path, *, what: str = "", compressed: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file, by gzip if ``compressed``, and put it in the place of ``path`` when all went well.

    A link stays, what it leads to is replaced. A file that was there stays if the new one cannot be written, and
    keeps its mode if it can; a new file has the mode that the umask leaves. Pipes, terminals and /dev/null are written
    to, at the end; other devices are refused. An error names the option or kind of file ``what``.
    """
    temporary = None
    try:
        target = _target(path, what)
        if target.direct:
            with tempfile.TemporaryFile() as file:
                yield from _filled(file, compressed)
                file.seek(0)
                with _opened(target) as out:
                    shutil.copyfileobj(file, out)
            return
        descriptor, temporary = _temporary(target.path)
        with open(descriptor, "w+b") as file:
            yield from _filled(file, compressed)
            file.flush()
            os.fsync(file.fileno())
            if target.found is not None:
                with contextlib.suppress(OSError):  # only root can give a file to its owner
                    os.fchown(file.fileno(), target.found.st_uid, target.found.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(target.found.st_mode))
        os.replace(temporary, target.path)
        temporary = None
    except OSError as error:
        raise _unwritable(path, what, error) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _filled(file: IO[bytes], compressed: bool) -> Iterator[IO[bytes]]:
    """Yield what the content is written to."""
    if not compressed:
        yield file
        return
    # without a name and a time inside, so that the same content gives the same bytes
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        yield packed  # type: ignore[misc]  # a binary file in all that is used of it


def _target(path: Path, what: str) -> _Target:
    """Return where ``path`` leads; OSError or InputError if nothing can be written there."""
    option = f"{what}: " if what else ""
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "a name cannot hold a null byte")
    descriptor = own_descriptor(path)
    if descriptor is not None:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise InputError(f"{option}cannot write {str(path)!r}: it is open for reading")
        return _Target(path, direct=True, descriptor=descriptor)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return _Target(Path(os.path.realpath(path)))
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{option}expected the name of a file, got the folder {str(path)!r}")
    if not os.access(path, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    if stat.S_ISREG(found.st_mode):
        return _Target(Path(os.path.realpath(path)), found)
    if stat.S_ISFIFO(found.st_mode) or stat.S_ISCHR(found.st_mode):
        return _Target(path, direct=True)
    kind = "a block device" if stat.S_ISBLK(found.st_mode) else "a socket"
    raise InputError(f"{option}expected the name of a file, got {kind}: {str(path)!r}")


def _temporary(path: Path) -> tuple[int, Path]:
    """Make a file next to ``path``, with the mode that the umask leaves; return it open, and its name."""
    temporary = path.parent / f".subtx-toy-{secrets.token_hex(8)}"
    os.stat(path.parent)  # its error is that of the folder
    if len(os.fsencode(path.name)) > os.pathconf(path.parent, "PC_NAME_MAX"):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    return os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), temporary


def _opened(target: _Target) -> IO[bytes]:
    """Open what is written to directly; a named pipe has to find a reader."""
    if target.descriptor is not None:
        return open(os.dup(target.descriptor), "wb")
    end = time.monotonic() + READER_SECONDS
    while True:
        try:
            descriptor = os.open(target.path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:  # the error where nobody reads
                raise
            if time.monotonic() > end:
                raise OSError(errno.ENXIO, f"nobody has read from this pipe for {READER_SECONDS:g} seconds") from None
            time.sleep(0.02)
    os.set_blocking(descriptor, True)
    return open(descriptor, "wb")


def _unwritable(path: Path, what: str, error: OSError) -> InputError:
    option = f"{what}: " if what else ""
    return InputError(f"{option}cannot write {str(path)!r}: {error.strerror or error}")
