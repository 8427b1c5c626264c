"""Interval arrays in float64: every array of numbers is a centre and a radius, and the truth lies within.

``rounding`` states the one model of floating-point arithmetic that the proofs rest on.
"""

from __future__ import annotations

from subtx_toy.certify.balls.ball import Ball, dot

__all__ = ["Ball", "dot"]
