"""The training route: teacher and student phases of the reference protocol."""
