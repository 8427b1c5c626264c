"""Data sets of images with labels: ``load`` one by name, or your own by its path; imports no torch or matplotlib."""

from __future__ import annotations

from subtx_toy.data.catalogue import available, fetch, load
from subtx_toy.data.dataset import Dataset

__all__ = ["Dataset", "available", "fetch", "load"]
