"""The words claims are made of: claim, evidence, hypotheses, orders."""
