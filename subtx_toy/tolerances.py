"""Every tolerance of the package and of its tests, each with its reason."""

from __future__ import annotations

FAMILY_WISE_LEVEL = 0.05
"""Level of a family of comparisons with published numbers, after Holm: over six arms the first one needs 2.6
combined standard errors. The usual level, fixed before any run."""

FP64_STATISTIC = 1e-9
"""Relative, a statistic of float64 numbers against scipy's: two dozen roundings and a quantile found by root search."""

FP64_FORMULA = 1e-12
"""Two float64 evaluations of one formula, or of one gradient, in another order of summation: sums of up to about
a thousand terms of size 1 differ by 1e-13 at most, errors of a formula by far more."""

FP64_STEP = 1e-10
"""Float64 parameters after up to some tens of optimiser steps on two routes: Adam divides by the root of a second
moment, which magnifies the difference of 1e-15 a step where gradients are small."""

FINITE_DIFFERENCE_STEP = 1e-5
"""Step of central differences in float64: about the cube root of the rounding error, where the two errors meet."""

FINITE_DIFFERENCE = 1e-8
"""Central differences of functions with third derivatives of size 1 or less: truncation 2e-11, rounding 1e-11."""

Z_BOUND = 5.0
"""Standard errors within which a sample statistic at a fixed sample size must lie: two-sided p = 6e-7, so even a
thousand of them together fail by chance once in 1700 choices of the seed."""

FP32_ROUNDING = 5e-7
"""One or two roundings in float32 of numbers up to 2 (spacing 2.4e-7)."""

ALIGNMENT_FLOOR_UNITS = 64
"""Units of roundoff that an alignment may be off by (theory.alignment): to be measured."""

REMAINDER_FLOOR = 1e-12
"""A remainder of a student update below this part of the largest update of its ladder is rounding."""

MIN_RUNGS = 4
"""Rungs of a ladder of step sizes, fewer give no order."""
