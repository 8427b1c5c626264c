"""Numbers of a text that share a line with what belongs to them."""

from __future__ import annotations

import re

_SPACE = r"[ \n]"
_UNIT = re.compile(rf"(?<=\d){_SPACE}(?=%)|(?<=[\d)]){_SPACE}(?=±[ \n]?[\d.])|(?<=[±<>≤≥≈]){_SPACE}(?=[\d.])")
_INTERVAL = re.compile(rf"(?<=\[)([-−+]?[\d.]+),{_SPACE}(?=[-−+]?[\d.]+\])")
_COUNT = re.compile(rf"(?<=\d){_SPACE}(of|to){_SPACE}(?=[-−+]?[\d.])")


def bound(text: str, *, table: bool = False) -> str:
    r"""Return a text in which a number keeps its unit, its sign of comparison, its error and its interval.

    >>> bound("5 % and .1 ± .02 in [0.1, 0.2]")
    '5\xa0% and .1\xa0±\xa0.02 in [0.1,\xa00.2]'
    >>> bound("9 of 10", table=True)
    '9\xa0of\xa010'
    """
    text = _INTERVAL.sub("\\1,\N{NO-BREAK SPACE}", _UNIT.sub("\N{NO-BREAK SPACE}", text))
    return _COUNT.sub("\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text) if table else text
