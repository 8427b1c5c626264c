"""Text that other people chose, made fit for a terminal: it shows what it is, and moves or colours nothing."""

from __future__ import annotations

import re

# Control characters but for the newline and the tab, marks that turn the direction of a line, and halves of characters.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def terminal_text(text: str) -> str:
    r"""Return the text with every character that steers a terminal written as Python would.

    >>> terminal_text("a name\x1b[2J\r\n")
    'a name\\x1b[2J\\r\n'
    """
    return _UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
