"""Numbers in words: how many there are of something, and how small a p-value is."""

from __future__ import annotations


def counted(num: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is 1.

    The noun's first word of several is the one that is counted: ``"seed of one setting"`` becomes ``"seeds of ..."``.

    >>> counted(1, "seed"), counted(2, "seed of one setting"), counted(20_000, "line"), counted(0, "box")
    ('1 seed', '2 seeds of one setting', '20000 lines', '0 boxes')
    """
    first, space, rest = noun.partition(" ")
    if num != 1:
        first = _plural(first)
    return f"{num} {first}{space}{rest}"


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def be(num: int) -> str:
    """Return the verb of ``num`` things.

    >>> be(1), be(0)
    ('is', 'are')
    """
    return "is" if num == 1 else "are"


def p_words(p_value: float | None) -> str:
    """Return a p-value for a table; it is never written as 0. None, which stands for nan in JSON, is empty.

    >>> [p_words(p) for p in (0.04321, 2.34e-05, 0.0, None)]
    ['0.0432', '2.3e-05', '< 1e-300', '']
    """
    if p_value is None or p_value != p_value:
        return ""
    if p_value < 1e-300:  # below it float64 keeps no digits, and soon nothing
        return "< 1e-300"
    return f"{p_value:.3g}" if p_value >= 1e-3 else f"{p_value:.1e}"


def p_equation(p_value: float) -> str:
    """Return a p-value for a sentence.

    >>> p_equation(0.003), p_equation(0.0)
    ('p = 0.003', 'p < 1e-300')
    """
    words = p_words(p_value)
    return f"p {words}" if words.startswith("<") else f"p = {words}"
