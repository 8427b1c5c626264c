"""Objects named by users: ``module:name`` or ``file.py:name``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from subtx_toy.errors import InputError


def load_object(field: str, reference: str, *, expected: str) -> object:
    """Import what ``reference`` names; ``field`` and ``expected`` say in messages what it is for.

    Raises:
        InputError: if it is no reference, the file or module cannot be imported, or the name is not in it.
    """
    place, colon, name = reference.rpartition(":")
    if not (colon and place and name):
        raise InputError(f"{field}: expected {expected} as module:name or file.py:name, got {reference!r}")
    module = _module(field, place, expected)
    if not hasattr(module, name):
        raise InputError(f"{field}: expected {expected} named {name!r} in {place!r}, got no such name")
    found: object = getattr(module, name)
    return found


def _module(field: str, place: str, expected: str) -> ModuleType:
    path = Path(place)
    if place.endswith(".py"):
        if not path.is_file():
            raise InputError(f"{field}: expected {expected} in the file {place!r}, got no such file")
        spec = importlib.util.spec_from_file_location(f"_subtx_toy_given_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise InputError(f"{field}: expected a Python file, got {place!r}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses of the file look their module up there
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:  # a user's file can raise anything
            raise InputError(f"{field}: cannot import {place!r}: {type(error).__name__}: {error}") from error
        return module
    try:
        return importlib.import_module(place)
    except (Exception, SystemExit) as error:  # and so can a module
        raise InputError(f"{field}: cannot import {place!r}: {type(error).__name__}: {error}") from error
