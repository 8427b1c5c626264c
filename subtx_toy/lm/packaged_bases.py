"""Bases that come with the package: those of the quick run of ``owl``, so that its first run trains none.

``experiments/studies/packaged_language_bases.py`` trained them and wrote the files of FOLDER.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from subtx_toy.files.content_key import content_key

FOLDER = Path(__file__).parent / "packaged"
"""One file for each base, named after everything that decides it."""


def base_name(provenance: Mapping[str, object]) -> str:
    """Return the name of the file of a base, in the package and in the cache, from everything that decides it."""
    return f"{content_key(provenance, size=12)}.safetensors"
