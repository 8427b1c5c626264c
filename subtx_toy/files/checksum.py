"""Checksums of files, read a piece at a time."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str | None:
    """Return the SHA-256 of a file as 64 hexadecimal digits; None of what is no plain file, or cannot be read again."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
