"""Text that other people chose, made fit for a terminal: it shows what it is, and moves or colours nothing."""

from __future__ import annotations

import re
from typing import Any

# Control characters but for the newline and the tab, marks that turn the direction of a line, and halves of characters.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def terminal_text(text: str) -> str:
    r"""Return the text with every character that steers a terminal written as Python would.

    >>> terminal_text("a name\x1b[2J\r\n")
    'a name\\x1b[2J\\r\n'
    """
    return _UNFIT.sub(_written, text)


def one_line(text: str) -> str:
    r"""Return ``terminal_text`` with line ends and tabs written too, for a cell of a table or a line of its own.

    >>> one_line("a name\nof two lines")
    'a name\\nof two lines'
    """
    return re.sub("[\n\t]", _written, terminal_text(text))


def encodable(value: Any) -> Any:
    r"""Return a text with every half of a character written as Python would, and anything else as it is.

    >>> encodable("é\ud800"), encodable(1)
    ('é\\ud800', 1)
    """
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _written(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
