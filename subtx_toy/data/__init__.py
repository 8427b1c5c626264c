"""Data sets of 28 x 28 images: ``load`` one by name. Importing this imports neither torch nor matplotlib."""

from __future__ import annotations

from subtx_toy.data.catalogue import available, fetch, load
from subtx_toy.data.dataset import Dataset

__all__ = ["Dataset", "available", "fetch", "load"]
