"""Stored results as tables: cells with means and intervals, comparisons with published numbers, exports."""
