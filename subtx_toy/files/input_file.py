"""The one door for files in: opened once, looked at before they are read, and never read without a bound."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from subtx_toy.errors import InputError
from subtx_toy.files.descriptors import own_descriptor

MAX_PIPE = 2**30
"""Bytes that are taken from a pipe."""

WRITER_SECONDS = 10.0
"""How long a named pipe is given to find a writer."""

_BLOCK = 2**20


def open_input(path: Path) -> BinaryIO:
    """Open a file, once; what comes through a pipe is first copied to a temporary file, which can be read again.

    Raises:
        OSError: whose ``strerror`` says what is wrong: nothing there, a folder, a device, a socket, a silent pipe.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "a name cannot hold a null byte")
    own = own_descriptor(path)
    if own is not None and not stat.S_ISREG(os.fstat(own).st_mode) and not _is_terminal_or_device(own):
        with open(os.dup(own), "rb", buffering=0) as stream:
            return _copied(stream.fileno())
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(error.errno, "expected a file or a pipe, got a socket") from None
        raise OSError(error.errno, os.strerror(error.errno or errno.EIO)) from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, "expected a file, got a folder")
        if stat.S_ISFIFO(mode):
            return _copied(descriptor, _first_of_pipe(descriptor))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "expected a file or a pipe, got a device")
        os.set_blocking(descriptor, True)
        kept, descriptor = descriptor, -1
        return open(kept, "rb")
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def open_named(path: Path) -> BinaryIO:
    """Open a file as ``open_input`` does, for a user who named it.

    Raises:
        InputError: naming the file and what is wrong.
    """
    try:
        return open_input(path)
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise InputError(f"{path}: {reason}") from None


def read_input(path: Path, *, limit: int) -> bytes:
    """Return the content of a file of at most ``limit`` bytes.

    Raises:
        OSError: as ``open_input``, and for a file that is larger, which is not read.
    """
    with open_input(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = b"" if size > limit else file.read(limit + 1)
    if max(size, len(content)) > limit:
        raise OSError(errno.EFBIG, f"expected at most {limit} bytes, got {max(size, len(content))} or more")
    return content


def read_text(path: Path, *, limit: int) -> str:
    """Return the text of a file in UTF-8, without its byte order mark.

    Raises:
        OSError: as ``read_input``.
        UnicodeDecodeError: for another encoding.
    """
    return read_input(path, limit=limit).decode("utf-8-sig")


def _is_terminal_or_device(descriptor: int) -> bool:
    return stat.S_ISCHR(os.fstat(descriptor).st_mode) or stat.S_ISBLK(os.fstat(descriptor).st_mode)


def _first_of_pipe(descriptor: int) -> bytes:
    """Wait for a writer of a named pipe, and return what it has written so far; the pipe blocks from then on."""
    end = time.monotonic() + WRITER_SECONDS
    while True:
        try:
            first = os.read(descriptor, _BLOCK)  # nothing while nobody writes
        except BlockingIOError:  # there is a writer, which has written nothing yet
            first = b""
            break
        if first:
            break
        if time.monotonic() > end:
            raise OSError(errno.EPIPE, f"nobody has written to this pipe for {WRITER_SECONDS:g} seconds")
        time.sleep(0.02)
    os.set_blocking(descriptor, True)
    return first


def _copied(descriptor: int, first: bytes = b"") -> BinaryIO:
    """Return a temporary file with everything that comes through a pipe."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115, the caller closes it
    size, block = 0, first or os.read(descriptor, _BLOCK)
    while block:
        size += len(block)
        if size > MAX_PIPE:
            copy.close()
            raise OSError(errno.EFBIG, f"expected at most {MAX_PIPE} bytes through a pipe, got more")
        copy.write(block)
        block = os.read(descriptor, _BLOCK)
    copy.seek(0)
    return copy
