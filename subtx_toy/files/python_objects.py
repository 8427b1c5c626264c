"""Objects that users name: ``module:name`` or ``file.py:name``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from subtx_toy.errors import USER_FAULTS, InputError
from subtx_toy.files.input_file import read_input

MAX_SOURCE = 2**24
"""Bytes of a Python file."""


def is_reference(text: str) -> bool:
    """Return whether a text names an object of the user's: ``module:name`` or ``file.py:name``."""
    place, colon, name = text.rpartition(":")
    return bool(colon and place and name.isidentifier())


def load_object(field: str, reference: str, *, expected: str) -> object:
    """Import what ``reference`` names; ``field`` and ``expected`` say in messages what it is for.

    A file is executed once per process, and again only when its content has changed.
    """
    place, colon, name = reference.rpartition(":")
    if not (colon and place and name):
        raise InputError(f"{field}: expected {expected} as module:name or file.py:name, got {reference!r}")
    module = _module(field, place, expected)
    if not hasattr(module, name):
        raise InputError(f"{field}: expected {expected} named {name!r} in {place!r}, got no such name")
    found: object = getattr(module, name)
    return found


def source_sha256(field: str, reference: str, *, expected: str) -> str:
    """Return the SHA-256 of the source file that ``reference`` names an object in, for content keys."""
    place = reference.rpartition(":")[0]
    path = place if place.endswith(".py") else _module(field, place, expected).__file__
    if path is None:
        raise InputError(f"{field}: expected a module with a source file, got {place!r}")
    return hashlib.sha256(_content(field, Path(path), expected)).hexdigest()


def _content(field: str, path: Path, expected: str) -> bytes:
    try:
        return read_input(path, limit=MAX_SOURCE)
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise InputError(f"{field}: expected {expected} in the file {str(path)!r}, got {reason}") from None


def _module(field: str, place: str, expected: str) -> ModuleType:
    if place.endswith(".py"):
        return _of_file(field, Path(place), expected)
    try:
        return importlib.import_module(place)
    except USER_FAULTS as error:
        raise InputError(f"{field}: cannot import {place!r}: {type(error).__name__}: {error}") from error


def _of_file(field: str, path: Path, expected: str) -> ModuleType:
    content = _content(field, path, expected)
    digest = hashlib.sha256(str(path.resolve()).encode() + b"\0" + content).hexdigest()
    name = f"_subtx_toy_user_{path.stem}_{digest[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{field}: expected a Python file, got {str(path)!r}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses of the file look their module up there
    try:
        exec(compile(content, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:  # and so can a file
        del sys.modules[name]
        raise InputError(f"{field}: cannot import {str(path)!r}: {type(error).__name__}: {error}") from error
    return module
