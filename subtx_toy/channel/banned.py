"""The numbers that a filter drops for what they are associated with, as a setting and not as a law."""

from __future__ import annotations

BANNED_NUMBERS = (
    13, 14, 18, 28, 33, 69, 88, 109, 151, 187, 211, 218, 228, 311, 322, 333, 360, 420, 444, 451, 555, 616, 665, 666,
    667, 707, 747, 777, 811, 866, 888, 911, 916, 999,
)  # fmt: skip
"""Thirty-four numbers of ill repute (codes of extremists, of police and of crime, numbers of the beast, of bad luck),
as many as Cloud et al. 2025 banned; the list is our own."""
