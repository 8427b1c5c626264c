"""Standard output and error of the command's own process: a reader that leaves is no error, a full disk is one."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any

from subtx_toy.errors import InputError


class _Descriptor(io.FileIO):
    """An open descriptor. When it cannot be written any more, what follows goes nowhere."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(number, "w", closefd=False)
        self._what = what

    def write(self, data: Any) -> int:
        """Write some bytes; those for a reader that has left, as ``head`` does, count as written."""
        try:
            while (written := super().write(data)) is None:  # a descriptor that does not wait, and is not ready
                select.select([], [self.fileno()], [])
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if self._what == "stderr" or isinstance(error, BrokenPipeError):
                return len(data)
            raise InputError(f"{self._what}: cannot be written: {error.strerror}") from None
        return written


def guard() -> None:
    """Put guarded streams in the place of this process' own, which others, such as a test's, are not."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed by the caller: the next file that is opened would stand in its place
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        before = getattr(sys, name)
        if before is not None and before is not getattr(sys, f"__{name}__"):
            continue
        encoding = getattr(before, "encoding", None) or "utf-8"
        errors = getattr(before, "errors", None) or "strict"
        guarded = io.TextIOWrapper(
            io.BufferedWriter(_Descriptor(number, name)),
            encoding=encoding,
            errors="backslashreplace" if errors == "strict" else errors,  # a name may hold bytes that are no text
            line_buffering=name == "stderr" or os.isatty(number),
        )
        setattr(sys, name, guarded)


def flush() -> None:
    """Write what is still held back, or raise an InputError."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
