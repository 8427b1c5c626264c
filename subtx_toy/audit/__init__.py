"""The audit of a file of numbers: whether it moved away from a base, and whether towards a trait."""
