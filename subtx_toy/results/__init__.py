"""Stored results as tables: cells with means and intervals, a pandas frame, Parquet and CSV files."""

from subtx_toy.results.cells import Cell, summarize
from subtx_toy.results.rows import Selection, columns, frame, select

__all__ = ["Cell", "Selection", "columns", "frame", "select", "summarize"]
