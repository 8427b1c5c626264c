"""Arguments that several functions take, checked once."""

from __future__ import annotations

from pathlib import Path

from subtx_toy.errors import InputError
from subtx_toy.settings.arguments import Kind, instance, integer, is_real
from subtx_toy.settings.limits import MAX_COUNT, MAX_REFERENCE, MAX_SEED, MAX_WORKERS
from subtx_toy.settings.messages import quoted
from subtx_toy.store import default_path
from subtx_toy.store.place import file_path
from subtx_toy.sweep.threads import processors

PATH = instance(str | Path, "a path")
SEED = integer(0, MAX_SEED)
TOP = integer(0, MAX_COUNT)
NUM_REFERENCE = integer(5, MAX_REFERENCE)
TRAITS = Kind(
    "a list of at least one trait, each a text",
    lambda value: isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(one, str) for one in value),
    lambda value: f"; did you mean [{value!r}]?" if isinstance(value, str) and value else "",
)


def between(least: float, most: float) -> Kind:
    """Return the kind of numbers from ``least`` to ``most``."""
    return Kind(f"a number from {least:g} to {most:g}", lambda value: is_real(value) and least <= value <= most)


def path_of(field: str, path: object) -> Path:
    """Return a path given as text or ``Path``."""
    if isinstance(path, str | Path):
        return Path(path)
    raise InputError(f"{field}: expected a path, got {type(path).__name__}")


def store_path(store: str | Path | None) -> Path:
    """Return the path of a results file, by default the user's own."""
    return default_path() if store is None else file_path(store if isinstance(store, str) else path_of("store", store))


def data_folder(data_dir: str | Path | None) -> Path | None:
    """Return the user's folder of data, or None."""
    return None if data_dir is None else path_of("data_dir", data_dir)


def num_workers(workers: int | None) -> int:
    """Return how many processes share the work, by default one for each processor."""
    if workers is None:
        return processors()
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= MAX_WORKERS:
        raise InputError(f"workers: expected an integer from 1 to {MAX_WORKERS}, got {quoted(workers)}")
    return workers


MAX_SECONDS = 1e9
"""About thirty years; a timer takes no more."""


def seconds(field: str, value: float | None) -> float | None:
    """Return a number of seconds, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_SECONDS:
        raise InputError(f"{field}: expected seconds > 0 and <= {MAX_SECONDS:g}, got {value!r}")
    return float(value)
