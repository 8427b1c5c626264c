"""Paths that lead to a file this process has open, such as /dev/stdout or the /dev/fd/63 of a shell's <(...)."""

from __future__ import annotations

import os
import re
from pathlib import Path

_MAX_LINKS = 40  # of the kernel


def own_descriptor(path: Path) -> int | None:
    """Return the number of the open file of this process that ``path`` leads to through links, or None.

    Opening such a path by its name would start a file again at its beginning, and fails for a socket.
    """
    place = os.fspath(path)
    folders = f"/proc/(self|thread-self|{os.getpid()}(/task/[0-9]+)?)/fd|/dev/fd"
    for _ in range(_MAX_LINKS):
        parent, name = os.path.split(place)
        parent = os.path.realpath(parent)
        if re.fullmatch(folders, parent) and name.isdecimal():
            return int(name)
        place = os.path.join(parent, name)
        if not os.path.islink(place):
            return None
        place = os.path.join(parent, os.readlink(place))
    return None
