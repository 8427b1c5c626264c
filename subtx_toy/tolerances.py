"""Every tolerance of the package and of its tests, each with its reason."""

from __future__ import annotations

FAMILY_WISE_LEVEL = 0.05
"""Level of a family of comparisons with published numbers, after Holm: over six arms the first one needs 2.6
combined standard errors. The usual level, fixed before any run."""
