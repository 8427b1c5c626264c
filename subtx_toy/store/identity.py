"""Which files this process has open as databases, each known by device and inode.

On POSIX systems, closing a file gives up every lock that the process has on it, whoever took it. A file that SQLite has
open is therefore never opened and closed by other means: a descriptor of it is kept until the last connection ends.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from pathlib import Path

Identity = tuple[int, int]

_lock = threading.Lock()
_connections: defaultdict[Identity, int] = defaultdict(int)
_descriptors: defaultdict[Identity, list[int]] = defaultdict(list)


def of(path: Path) -> Identity | None:
    """Return device and inode of a file, or None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_open(path: Path) -> bool:
    """Return whether this process has a connection to the file."""
    found = of(path)
    return found is not None and _connections.get(found, 0) > 0


def opened(identity: Identity | None, descriptor: int | None = None) -> None:
    """Note a new connection, and a descriptor that may be closed when the last connection is."""
    if identity is None:
        return
    with _lock:
        _connections[identity] += 1
        if descriptor is not None:
            _descriptors[identity].append(descriptor)


def closed(identity: Identity | None) -> None:
    """Note that a connection has been closed."""
    if identity is None:
        return
    with _lock:
        _connections[identity] -= 1
        if not _connections[identity]:
            del _connections[identity]
            for descriptor in _descriptors.pop(identity, []):
                os.close(descriptor)
