"""What this machine has, and what would fail on it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from subtx_toy.api.arguments import store_path
from subtx_toy.data import catalogue
from subtx_toy.errors import InputError
from subtx_toy.store.inspection import is_results
from subtx_toy.store.maintenance import faults
from subtx_toy.store.place import absolute, can_write
from subtx_toy.store.record import versions
from subtx_toy.sweep.threads import processors
from subtx_toy.wording import counted

_MIN_FREE_MIB = 500  # a data set, and a store of 10^5 trials
_EXTRAS = {
    "distributed": "sweeps on a cluster: pip install distributed cryptography",
    "pandas": "frames of results: pip install pandas",
    "pyarrow": "exports to Parquet: pip install pyarrow",
}

State = Literal["fine", "note", "fault"]


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at: ``fine``, ``note`` for what is missing but not needed, or ``fault``."""

    name: str
    state: State
    text: str


def examine(store: str | Path | None = None) -> Iterator[Diagnosis]:
    """Look at everything the package needs, and at a results file, by default the user's own; nothing is changed."""
    found = versions()
    yield Diagnosis("package", "fine", f"subtx-toy {found['subtx_toy']}")
    yield Diagnosis("python", "fine", f"{found['python']} on {platform.system()} {found['machine']}")
    yield Diagnosis("torch", "fine", f"{found['torch']}, numpy {found['numpy']} with {found['blas']}")
    yield _threads()
    for module, what in _EXTRAS.items():
        if importlib.util.find_spec(module) is not None:
            yield Diagnosis(module, "fine", "installed")
        else:
            yield Diagnosis(module, "note", f"missing, only needed for {what}")
    yield from _data()
    yield from _store(store_path(store))


def _threads() -> Diagnosis:
    import torch

    num = torch.get_num_threads()
    threads = f"torch takes {num} {'thread' if num == 1 else 'threads'} here, 1 in a worker"
    return Diagnosis("processors", "fine", f"{processors()} usable; {threads}")


def _data() -> Iterator[Diagnosis]:
    try:
        entries = list(catalogue.entries())
    except OSError as error:
        yield Diagnosis("data", "fault", f"cannot look into the cache: {error.strerror}, {error.filename}")
        return
    others = catalogue.other_sizes(entries)
    for entry in entries:
        if entry in others:
            continue
        state: State = "fine" if entry.state == "cached" else "fault"
        text = f"{entry.state} in {entry.path}"
        if entry.state == "not cached":
            state = "note"
            what = "not cached at its full size" if entry.name == "glyphs" else "not cached"
            text = f"{what}; it is obtained when it is needed, or by: subtx-toy data fetch {entry.name}"
        yield Diagnosis(f"data {entry.name}", state, text)
    if others:
        sizes = f"{counted(len(others), 'size')} other than the full one cached in {others[0].path.parent}"
        yield Diagnosis(f"data {others[0].name}", "fine", f"{sizes}; subtx-toy data list names them")


def _store(path: Path) -> Iterator[Diagnosis]:
    place = absolute(path).parent
    while not os.path.exists(place):  # unlike a Path's, this is False too where nothing may be looked up
        place = place.parent
    free = shutil.disk_usage(place).free / 2**20
    text = f"{free:,.0f} MiB free at {place}"
    if free >= _MIN_FREE_MIB:
        yield Diagnosis("disk", "fine", text)
    else:
        yield Diagnosis("disk", "fault", f"{text}, less than {_MIN_FREE_MIB}")
    found, size = list[str](), 0
    with InputError.collected(found):
        if is_results(path):
            size = path.stat().st_size
            found += faults(path)
    yield from (Diagnosis("store", "fault", fault) for fault in found)
    if found:
        return
    if size and can_write(path):
        yield Diagnosis("store", "fine", f"sound, {size / 2**20:,.1f} MiB at {path}")
    elif size:
        where = f"{size / 2**20:,.1f} MiB at {path}"
        yield Diagnosis("store", "note", f"sound, {where}, but read-only for you: name another one for new records")
    elif os.access(place, os.W_OK | os.X_OK):
        yield Diagnosis("store", "note", f"none at {path}; the first run makes it")
    else:
        yield Diagnosis("store", "fault", f"none at {path}, and {place} cannot be written")
