"""How a page's tables, numbers and code share a line: what is marked and bound before it is written as HTML."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from docutils import nodes

from subtx_toy.report.spacing import bound

_ROOM = {"paragraph": 160, "sentence": 60, "phrase": 20}  # characters beyond which a cell is one, longest first
COLUMN = 820
"""Pixels up to which a picture fits a telephone: its letters are as high there as those of the text below it."""

WORD = 30
"""Characters up to which a word of code stays whole."""

_AS_WRITTEN = (nodes.literal, nodes.literal_block, nodes.raw, nodes.doctest_block, nodes.comment)


def mark_cells(doctree: nodes.document) -> None:
    """Give long cells of tables a class, so that a table scrolls before their words are squeezed."""
    for table in doctree.findall(nodes.table):
        for entry in table.findall(nodes.entry):
            length = len(entry.astext())
            entry["classes"] += [name for name, least in _ROOM.items() if length > least][:1]


def mark_pictures(doctree: nodes.document, folder: Path) -> None:
    """Give the paragraph of a PNG picture a class: ``column`` fits a telephone, ``wide`` has to be scrolled there."""
    for image in doctree.findall(nodes.image):
        path = folder / image["uri"]
        if isinstance(image.parent, nodes.paragraph) and path.suffix == ".png" and path.is_file():
            image.parent["classes"].append("column" if png_width(path) <= COLUMN else "wide")


def png_width(path: Path) -> int:
    """Return the width of a PNG picture in pixels, from its header."""
    with path.open("rb") as file:
        width: int = struct.unpack(">I", file.read(20)[16:])[0]
    return width


def mark_code(doctree: nodes.document) -> None:
    """Give code in a line a class if its words are short, so that `--run-slow` does not end a line with two dashes."""
    for literal in doctree.findall(nodes.literal):
        if all(len(word) <= WORD for word in literal.astext().split()):
            literal["classes"].append("whole")


def bind_numbers(doctree: nodes.document) -> None:
    """Bind the numbers of all texts but code; in cells also ``9 of 10`` and ``0.1 to 0.2``."""
    for text in list(doctree.findall(nodes.Text)):
        parent = text.parent
        if parent is None or isinstance(parent, _AS_WRITTEN):
            continue
        entry = parent.parent is not None and isinstance(parent.parent, nodes.entry)
        new = bound(str(text), table=entry)
        if new != text:
            parent.replace(text, nodes.Text(new))


def one_name_each(lines: list[str]) -> None:
    """Describe every attribute of a field such as ``:ivar a, b: sizes`` by itself: Sphinx takes ``a,`` for a type.

    >>> lines = [":ivar a, b: sizes,", "    in units", ":ivar c: other"]
    >>> one_name_each(lines)
    >>> lines
    [':ivar a: sizes,', '    in units', ':ivar b: sizes,', '    in units', ':ivar c: other']
    """
    found: list[str] = []
    place = 0
    while place < len(lines):
        end = place + 1
        field = re.match(r":ivar ([\w\\]+(?:, [\w\\]+)+):(.*)", lines[place])
        while field and end < len(lines) and lines[end].startswith(" "):
            end += 1
        names = field[1].split(", ") if field else []
        for name in names:
            found += [f":ivar {name}:{field[2] if field else ''}", *lines[place + 1 : end]]
        if not names:
            found.append(lines[place])
        place = end
    lines[:] = found
