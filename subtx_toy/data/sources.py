"""Where IDX files come from when the user has none: folders of the system and https mirrors."""

from __future__ import annotations

import time
from pathlib import Path

from subtx_toy.data.dataset import Progress, Report
from subtx_toy.data.idx import IdxFile, gunzip
from subtx_toy.data.published import Source, SourceError

_SILENCE = 5.0  # seconds: to connect, and without a byte before a mirror counts as dead
_PATIENCE = 300.0  # seconds for one file: 26 MB at 90 kB/s
_BLOCK = 1 << 18
_SLACK = 1 << 16  # bytes that gzip may add to a file it cannot compress


def mirror(address: str) -> Source:
    """Return the source of ``.gz`` files at ``address``, an https folder that ends with a slash."""

    def obtain(files: tuple[IdxFile, ...], report: Report, progress: Progress) -> dict[str, bytes]:
        return {
            file.stem: gunzip(_download(f"{address}{file.stem}.gz", file, report=report, progress=progress), file.size)
            for file in files
        }

    return Source(address, obtain)


def system_folder(place: Path) -> Source:
    """Return the source of ``.gz`` files in a folder where a distribution's package puts them."""

    def obtain(files: tuple[IdxFile, ...], report: Report, progress: Progress) -> dict[str, bytes]:
        if not place.is_dir():
            raise SourceError("no such folder")
        report(f"reading {place}")
        contents = {}
        for done, file in enumerate(files):
            contents[file.stem] = gunzip((place / f"{file.stem}.gz").read_bytes(), file.size)
            progress(f"reading {place}", done + 1, len(files), "files")
        return contents

    return Source(str(place), obtain)


def _download(url: str, file: IdxFile, *, report: Report, progress: Progress) -> bytes:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    task = url.rsplit("/", 1)[-1]
    give_up, most = time.monotonic() + _PATIENCE, file.size + _SLACK
    received = bytearray()
    try:
        with urlopen(url, timeout=_SILENCE) as answer:
            announced = answer.headers.get("Content-Length") or ""
            total = int(announced) if announced.isdecimal() else None
            report(f"downloading {url}" + (f" ({total / 1e6:.1f} MB)" if total else ""))
            while block := answer.read1(_BLOCK):
                received += block
                if len(received) > most:
                    raise SourceError(f"{task}: expected at most {most} bytes, got more")
                if time.monotonic() > give_up:
                    raise SourceError(f"{task}: expected the file in {_PATIENCE:g} s, got {len(received)} bytes")
                progress(task, len(received), total, "bytes")
    except (HTTPException, OSError) as error:  # the text of a URLError has its reason in a form for programmers
        why = str(error if isinstance(error, HTTPError) else getattr(error, "reason", error))
        raise SourceError(f"{task}: {why or type(error).__name__}") from error
    if len(received) != (total or len(received)):
        raise SourceError(f"{task}: expected {total} bytes, got {len(received)} (connection lost)")
    progress(task, len(received), len(received), "bytes")
    return bytes(received)
