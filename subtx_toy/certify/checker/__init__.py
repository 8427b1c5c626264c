"""The checker: re-proves a certificate from its file alone, in arb arithmetic, sharing no code with the search."""
