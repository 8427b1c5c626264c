"""What an error is to the user: one message, the exit code, and for the unforeseen a file to report it with."""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import traceback
from typing import Any

import rich_click as click

from subtx_toy import __version__
from subtx_toy.cli.echo import echo
from subtx_toy.errors import InputError, shortened
from subtx_toy.files.terminal_text import one_line, terminal_text

BAD_INPUT = 2
_HINTS = {
    errno.EMFILE: "; allow more of them with ulimit -n",
    errno.ENFILE: "",
    errno.ENOSPC: "",
    errno.EDQUOT: "",
    errno.EROFS: "",
    errno.ENOMEM: "",
    errno.EAGAIN: "; too many processes?",
}
"""What a machine runs out of, by the number of its error, and what may help."""


def explained(error: BaseException, arguments: list[str]) -> int:
    """Print one message for an error that ended a command, and return the exit code."""
    if isinstance(error, InputError):
        for problem in error.problems:
            # of a library's or a user's own error, which is its cause, the lines stay
            _say(f"error: {problem if error.__cause__ else one_line(problem)}")
        return BAD_INPUT
    if isinstance(error, click.ClickException):
        said: Any = error
        said.message = shortened(terminal_text(error.message), 1000)
        error.show()
        return error.exit_code
    if isinstance(error, OSError) and error.errno in _HINTS:
        where = f": {error.filename}" if error.filename else ""
        _say(f"error: {os.strerror(error.errno)}{where}{_HINTS[error.errno]}")
    elif isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # numpy's and torch's
        _say(f"error: not enough memory: {_first_line(error)}")
    else:
        _say(f"internal error: {type(error).__name__}: {_first_line(error)}; {_report(error, arguments)}")
    return BAD_INPUT


def _say(text: str) -> None:
    echo(text, err=True)


def _first_line(error: BaseException) -> str:
    return shortened((str(error).strip().splitlines() or ["no reason given"])[0], 300)


def _report(error: BaseException, arguments: list[str]) -> str:
    """Write what a report needs to a file, and say so."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="subtx-toy-error-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(f"subtx-toy {__version__}, Python {sys.version}, {platform.platform()}\n")
            file.write(f"arguments: {arguments!r}\n\n")
            file.write("".join(traceback.format_exception(error)))
    except OSError as fault:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"please report it, at {place.filename}:{place.lineno} (no file for it: {fault.strerror})"
    return f"please report it with {file.name}"
