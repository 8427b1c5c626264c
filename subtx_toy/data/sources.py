"""Where IDX files come from when the user has none: folders of the system and https mirrors."""

from __future__ import annotations

import time
from pathlib import Path

from subtx_toy.data.dataset import Progress, Report
from subtx_toy.data.folder import gunzip
from subtx_toy.data.idx import IdxFile
from subtx_toy.data.published import Source, SourceError

_SILENCE = 5.0  # seconds: to connect, and without a byte before a mirror counts as dead
_PATIENCE = 300.0  # seconds for one file: 26 MB at 90 kB/s
_BLOCK = 1 << 18
_SLACK = 1 << 16  # bytes that gzip may add to a file it cannot compress


def mirror(address: str) -> Source:
    """Return the source of ``.gz`` files at ``address``, an https folder that ends with a slash."""

    def obtain(files: tuple[IdxFile, ...], report: Report, progress: Progress) -> dict[str, bytes]:
        return {
            file.stem: gunzip(_download(f"{address}{file.stem}.gz", file, report=report, progress=progress), file)
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
            contents[file.stem] = gunzip((place / f"{file.stem}.gz").read_bytes(), file)
            progress(f"reading {place}", done + 1, len(files), "files")
        return contents

    return Source(str(place), obtain)


def _download(url: str, file: IdxFile, *, report: Report, progress: Progress) -> bytes:
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    task = url.rsplit("/", 1)[-1]
    give_up = time.monotonic() + _PATIENCE
    received = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=_SILENCE) as answer:
            announced = answer.headers.get("Content-Length")
            total = int(announced) if announced and announced.isdecimal() else None
            report(f"downloading {url}" + (f" ({total / 1e6:.1f} MB)" if total else ""))
            while block := answer.read1(_BLOCK):
                received += block
                if len(received) > file.size + _SLACK:
                    raise SourceError(f"{task}: expected at most {file.size + _SLACK} bytes, got more")
                if time.monotonic() > give_up:
                    raise SourceError(f"{task}: expected the file in {_PATIENCE:.0f} s, got {len(received)} bytes")
                progress(task, len(received), total, "bytes")
    except urllib.error.HTTPError as error:
        raise SourceError(f"{task}: {error}") from error
    except urllib.error.URLError as error:  # its own text has the reason in a form for programmers
        raise SourceError(f"{task}: {error.reason}") from error
    except (HTTPException, OSError) as error:
        raise SourceError(f"{task}: {error or type(error).__name__}") from error
    if total is not None and len(received) != total:
        raise SourceError(f"{task}: expected {total} bytes, got {len(received)} (connection lost)")
    progress(task, len(received), len(received), "bytes")
    return bytes(received)
