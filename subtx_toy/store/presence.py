"""Whether an open database is still the file at its path; if not, whatever is written to it is lost to everybody."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from subtx_toy.store import identity
from subtx_toy.store.place import absolute, beside

_APPLICATION_ID = 68  # its offset in the header of an SQLite file, 4 bytes, big-endian


class Presence:
    """The files of an open database as they were when it was opened.

    Args:
        path: the main file, which is there.
        descriptor: open on it.
        application_id: that of the database; the file's header may still hold an earlier one.
    """

    def __init__(self, path: Path, descriptor: int, application_id: int) -> None:
        self._path, self._descriptor = absolute(path), descriptor
        found = os.fstat(descriptor)
        self.identity = found.st_dev, found.st_ino
        self._application_ids = {self._header(), application_id}
        # SQLite makes these once and keeps them as long as anybody has the database open.
        self._beside = {one: identity.of(one) for one in (beside(path, "-wal"), beside(path, "-shm"))}

    def fault(self) -> str:
        """Say what happened to the files, or nothing if they are where they were."""
        found = identity.of(self._path)
        if found is None:
            gone = (
                "its folder was removed or renamed" if not self._path.parent.exists() else "it was removed or renamed"
            )
            return f"{gone} while it was in use"
        if found != self.identity:
            return "it was replaced by another file while it was in use"
        if self.is_overwritten():
            return "it was overwritten by another program while it was in use"
        for one, before in self._beside.items():
            if before is not None and identity.of(one) != before:
                return f"{one.name} was removed or replaced while it was in use"
        return ""

    def is_overwritten(self) -> bool:
        """Return whether other content was written into the file itself."""
        return self._header() not in self._application_ids

    def left_behind(self) -> list[Path]:
        """Return the files next to the path that are this database's own."""
        return [one for one, before in self._beside.items() if before is not None and identity.of(one) == before]

    def is_taken(self) -> bool:
        """Return whether another database has files next to the path."""
        return any(identity.of(one) not in (None, before) for one, before in self._beside.items())

    def _header(self) -> int | None:
        content = os.pread(self._descriptor, 100, 0)
        if len(content) < 100 or not content.startswith(b"SQLite format 3\0"):
            return None
        return int(struct.unpack_from(">i", content, _APPLICATION_ID)[0])
