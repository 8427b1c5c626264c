"""Errors a user can cause, each with everything that is wrong in one message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

MAX_PROBLEMS = 50
"""Faults that one message lists; the others are counted."""

MAX_PROBLEM_CHARACTERS = 1500
"""Of one fault in a message; a longer one is cut in the middle."""


def shortened(text: str, most: int) -> str:
    """Return a text, cut in the middle if it has more than ``most`` characters.

    >>> shortened("abcdefghij", 4)
    'ab[6 more characters]ij'
    """
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}[{len(text) - 2 * half} more characters]{text[-half:]}"


USER_FAULTS = (Exception, SystemExit)
"""What a user's function can raise that is reported as its fault; KeyboardInterrupt is the user's own wish."""


def in_short(error: BaseException) -> str:
    """Return an error's kind and the first line of its text.

    >>> in_short(SystemExit(3))
    'SystemExit: 3'
    """
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


class InputError(ValueError):
    """Something the user gave cannot be used.

    ``problems`` holds one sentence per fault, of the form *where: expected ..., got ...*. The command line
    prints them, without a traceback, and exits with status 2. Beyond ``MAX_PROBLEMS`` they are only counted, and a
    long one is cut in the middle, whatever it repeats of the input.

    >>> print(InputError("width: expected an integer >= 1, got 0", "lr: expected a number > 0, got -1"))
    width: expected an integer >= 1, got 0
    lr: expected a number > 0, got -1
    """

    def __init__(self, *problems: str) -> None:
        if len(problems) > MAX_PROBLEMS:
            problems = (*problems[: MAX_PROBLEMS - 1], f"and {len(problems) - MAX_PROBLEMS + 1} more")
        listed = [shortened(problem, MAX_PROBLEM_CHARACTERS) for problem in problems]
        self.problems = tuple(listed)
        super().__init__("\n".join(listed))

    @classmethod
    def gather(cls, problems: Iterable[str]) -> None:
        """Raise one error holding all ``problems``, or return if there are none."""
        found = tuple(problems)
        if found:
            raise cls(*found)

    @classmethod
    @contextmanager
    def collected(cls, problems: list[str]) -> Iterator[None]:
        """Add the problems of an error inside the block to ``problems`` instead of raising it."""
        try:
            yield
        except cls as error:
            problems += error.problems


class DataError(InputError):
    """A data set is missing, corrupt, swapped for another one, or cannot be fetched."""


class StoreError(InputError):
    """The results store cannot be opened, read or written."""


class StoreLostError(StoreError):
    """The results store was taken away while it was in use; the message says where its records are."""


class WorkerError(InputError):
    """A worker is not fit to compute for its coordinator, or the workers are gone or cannot be had."""
