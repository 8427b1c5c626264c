"""Figures: records in, Axes out. Nothing here runs an experiment."""
