"""Figures: records in, Axes out. Nothing here runs an experiment."""

from subtx_toy.data.drawing_library import import_matplotlib

import_matplotlib()  # before a module of this folder does, which would take the backend that the environment names
