"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from subtx_toy.errors import InputError


def check_writable(path: Path, *, what: str) -> None:
    """Find out before some work whether ``replacing`` could write ``path``; an error names the option ``what``."""
    try:
        if path.is_dir():
            raise InputError(f"{what}: expected the name of a file, got the folder {str(path)!r}")
        # the mode of a folder does not tell, least of all to root
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise InputError(f"{what}: cannot write {str(path)!r}: {error.strerror}") from None


@contextlib.contextmanager
def replacing(path: Path, *, what: str = "", compressed: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file next to ``path``, by gzip if ``compressed``, and rename it to ``path`` when all went well.

    A file that was there stays if the new one cannot be written; the error names the option or kind of file ``what``.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            if compressed:
                # without a name and a time inside, so that the same content gives the same bytes
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                    yield packed  # type: ignore[misc]  # a binary file in all that is used of it
            else:
                yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # temporary files are private, results are not
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        reason = error.strerror or error
        told = f"{what}: cannot write {path}: {reason}" if what else f"{path}: cannot be written: {reason}"
        raise InputError(told) from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
