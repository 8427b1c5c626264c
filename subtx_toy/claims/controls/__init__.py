"""Students that break a hypothesis, and must fail the claim."""
